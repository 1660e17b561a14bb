"""The API's description, OpenAPI 3.1, and the page that shows it; everything is served from here, nothing from the net.

Litestar describes the typed handlers; what it cannot know (the endpoints of `/v1`, bodies, examples, every status that
an operation may answer) is put in from the tables of this module and of `openapi_examples`.
"""

import copy
import io
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import metadata, resources
from typing import Any, Final

import msgspec
from litestar import MediaType, Request, Response, get
from litestar.enums import OpenAPIMediaType
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.response import Redirect
from ruamel.yaml import YAML

from jairouter_cli.errors import NotFound
from jairouter_cli.web.manage.envelope import ENVELOPED
from jairouter_cli.web.openapi import actuator
from jairouter_cli.web.openapi.examples import MANAGEMENT, OPENAI, ORDERS, PARAMETERS, READING
from jairouter_cli.web.openapi.monitoring import MONITORING, describe
from jairouter_cli.web.v1.endpoints import ENDPOINTS, Endpoint

_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>JAiRouter API</title>
<link rel="icon" type="image/png" href="favicon-32x32.png">
<link rel="stylesheet" href="swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="swagger-ui-bundle.js"></script>
<script src="start.js"></script>
</body>
</html>
"""
_ASSETS: Final = {
    "swagger-ui-bundle.js": "text/javascript",
    "start.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}
_TAGS: Final = {
    "/v1": "统一模型接口",
    "/api/v1": "统一模型接口",
    "/api/config/type": "服务类型管理",
    "/api/services": "服务类型管理",
    "/api/config/instance": "服务实例管理",
    "/api/instances": "服务实例管理",
    "/api/loadbalancer": "负载均衡管理",
    "/api/config/version": "配置版本管理",
    "/api/config/store": "配置版本管理",
    "/api/config/merge": "配置合并管理",
    "/api/models": "模型信息接口",
    "/api/token-usage": "Token 使用量统计",
    "/api/monitoring/metrics": "Metric Registration",
    "/api": "Monitoring",
    "/actuator": "Actuator",
}
_ENVELOPE: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["success", "message", "timestamp"],
    "properties": {
        "success": {"type": "boolean"},
        "message": {"type": "string"},
        "data": {},
        "timestamp": {"type": "string"},
    },
    "additionalProperties": False,
}
_ERROR: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "code": {"type": "string"},
                "param": {"type": "string"},
                "details": {"type": "object"},
            },
        }
    },
}
_SAID: Final = {
    400: "What was sent is not what is taken",
    401: "The admin token is missing or wrong",
    403: "Only programs on the gateway's own machine may ask this",
    404: "There is no such thing",
    408: "The body did not arrive within server.body-timeout",
    412: "The configuration is not what If-Match expects",
    413: "The body is over server.max-body-size",
    415: "The body has another type than this endpoint takes",
    429: "A limit is reached; Retry-After says for how long",
    500: "The file could not be read or written, or a bug",
    502: "The backend broke off",
    503: "No instance can answer",
    504: "The backend was too slow",
}
_OF_V1: Final = (400, 404, 408, 413, 415, 429, 502, 503, 504)
_GUARDED: Final = (400, 401, 403, 404, 429, 500)


class AsJson(OpenAPIRenderPlugin):
    """The description as JSON."""

    def __init__(self) -> None:
        super().__init__(path=["/api-docs", "/openapi.json"], media_type=MediaType.JSON)

    def render(self, _: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Return the document."""
        return msgspec.json.encode(description(openapi_schema))


class AsYaml(OpenAPIRenderPlugin):
    """The same as YAML."""

    def __init__(self) -> None:
        super().__init__(path="/api-docs.yaml", media_type=OpenAPIMediaType.OPENAPI_YAML)

    def render(self, _: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Return the document."""
        stream = io.StringIO()
        yaml = YAML(typ="safe", pure=True)
        yaml.representer.ignore_aliases = lambda *_: True
        yaml.dump(description(openapi_schema), stream)
        return stream.getvalue().encode()


def openapi_config() -> OpenAPIConfig:
    """Return how Litestar describes and serves the API: in place of its own pages, which load from the net."""
    return OpenAPIConfig(
        title="JAiRouter",
        version=metadata.version("jairouter"),
        path="/v3",
        render_plugins=[AsJson(), AsYaml()],
        create_examples=False,
        use_handler_docstrings=True,
    )


def page_routes() -> list[Any]:
    """Return the routes of the page that shows the description."""

    @get(["/swagger-ui.html", "/docs"], include_in_schema=False)
    async def page_moved() -> Redirect:
        """Go to the page."""
        return Redirect("/swagger-ui/index.html")

    @get("/swagger-ui/{name:str}", include_in_schema=False)
    async def page(name: str) -> Response[bytes]:
        """The page, and what it needs."""
        if name == "index.html":
            return Response(_PAGE.encode(), media_type=MediaType.HTML)
        if name not in _ASSETS:
            raise NotFound(message=f"no such file: {name}")
        return Response(_asset(name), media_type=_ASSETS[name], headers={"cache-control": "max-age=86400"})

    return [page_moved, page]


@lru_cache(maxsize=len(_ASSETS))
def _asset(name: str) -> bytes:
    return resources.files("jairouter_cli.web").joinpath("swagger", name).read_bytes()


def description(generated: dict[str, Any]) -> dict[str, Any]:
    """Return the whole document, from what Litestar makes of the handlers."""
    found = copy.deepcopy(generated)
    paths: dict[str, dict[str, Any]] = {_in_camel_case(path): item for path, item in found["paths"].items()}
    # what follows a whole path is no route of its own
    paths["/api/instances/{instanceId}/health"] = {"post": paths["/api/instances/{instanceId}"].pop("post")}
    for path, item in paths.items():
        for method, operation in item.items():
            _complete(method.upper(), path, operation)
    for endpoint in ENDPOINTS:
        for path in endpoint.paths:
            paths[path] = {"post": _endpoint(endpoint, path)}
    found["paths"] = dict(sorted(paths.items()))
    found["components"] = {
        "schemas": {"Envelope": _ENVELOPE, "Error": _ERROR},
        "securitySchemes": {
            "bearer": {"type": "http", "scheme": "bearer"},
            "adminToken": {"type": "apiKey", "in": "header", "name": "X-Admin-Token"},
        },
    }
    return found


def _complete(method: str, path: str, operation: dict[str, Any]) -> None:
    """Put into an operation what its handler does not say."""
    operation["tags"] = [next(tag for prefix, tag in _TAGS.items() if path.startswith(prefix))]
    for parameter in operation.get("parameters", ()):
        parameter["name"] = _in_camel_case(parameter["name"])
        if parameter["name"] in PARAMETERS:
            parameter["example"] = PARAMETERS[parameter["name"]]
    if path.startswith("/api/") and not path.startswith("/api/v1"):
        operation["security"] = [{}, {"bearer": []}, {"adminToken": []}]
    if path.startswith("/actuator"):
        actuator.complete(method, path, operation)
    elif (method, path) in MONITORING:
        describe(method, path, operation, dict(_refusals((*_GUARDED, 412), enveloped=False)))
    else:
        _answered(method, path, operation)


def _answered(method: str, path: str, operation: dict[str, Any]) -> None:
    """Put in what is answered, and what is sent."""
    is_enveloped = path.startswith(ENVELOPED.prefixes)
    example = MANAGEMENT.get((method, path)) or MANAGEMENT.get((method, _main(path))) if is_enveloped else None
    status = next(int(code) for code in operation["responses"] if code.startswith("2"))
    if example is not None:
        message, data, body = example
        content = {"success": True, "message": message, "timestamp": "2026-11-24T08:00:00.123456"}
        answer = _json(
            {"$ref": "#/components/schemas/Envelope"}, content | ({"data": data} if data is not None else {})
        )
        if body is not None:
            operation["requestBody"] = {"required": True, "content": _json({"type": "object"}, body)}
    else:
        answer = _plain(READING[path])
        if path in ORDERS:
            operation["requestBody"] = {"required": True, "content": _json({"type": "object"}, ORDERS[path])}
    operation["responses"] = {str(status): {"description": "OK", "content": answer}}
    if (method, path) == ("POST", "/api/services/{serviceType}"):
        operation["responses"]["200"] = {"description": "It was there, and is changed", "content": answer}
    operation["responses"] |= dict(_refusals(_statuses(method, path), enveloped=is_enveloped))
    if path.startswith("/api/monitoring") and method == "POST":  # a sentence, too
        operation["responses"]["400"]["content"] |= _plain("Missing 'level' parameter")
        operation["responses"]["501"] = {"description": "There is no such thing here", "content": _plain("…")}


def _in_camel_case(text: str) -> str:
    """Return a path, or the name of a parameter, with the Java version's names of parameters."""
    words = {"service_type": "serviceType", "instance_id": "instanceId", "metric_name": "metricName"}
    for ours, theirs in words.items():
        text = text.replace(ours, theirs)
    return text


def _main(path: str) -> str:
    """Return the path of the Java version's first version for one of a later one."""
    return path.replace("/api/services", "/api/config/type/services")


def _statuses(method: str, path: str) -> tuple[int, ...]:
    if not path.startswith("/api/") or path.startswith("/api/v1"):
        return (400, 404, 429) if "{" in path else (400, 429)
    return _GUARDED if method == "GET" or path.startswith("/api/monitoring") else (*_GUARDED, 412)


def _endpoint(endpoint: Endpoint, path: str) -> dict[str, Any]:
    """Describe an endpoint of the OpenAI API: its answer is the backend's."""
    body, answer = OPENAI[endpoint.tail]
    kind = "multipart/form-data" if endpoint.multipart else "application/json"
    schema: dict[str, Any] = {"type": "object", "required": ["model"], "properties": {"model": {"type": "string"}}}
    told = (
        {"schema": {}, "example": answer} if answer is not None else {"schema": {"type": "string", "format": "binary"}}
    )
    return {
        "tags": ["统一模型接口"],
        "summary": f"{endpoint.path} of the OpenAI API, by service {endpoint.service}",
        "description": "Forwarded as it came to an instance whose `name` is `model`; the answer passes unchanged.",
        "operationId": "Endpoint" + "".join(part.capitalize() for part in path.replace("_", "/").split("/")),
        "requestBody": {"required": True, "content": {kind: {"schema": schema, "example": body}}},
        "responses": {
            "200": {"description": "What the instance answers", "content": {"*/*": told}},
            "4XX": {"description": "What the instance refuses, or the gateway", "content": {"*/*": {"schema": {}}}},
            **dict(_refusals(_OF_V1, enveloped=False)),
        },
    }


def _refusals(statuses: tuple[int, ...], *, enveloped: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    for status in statuses:
        if enveloped:
            example: Mapping[str, Any] = {"success": False, "message": "…", "timestamp": "2026-11-24T08:00:00.123456"}
        else:
            example = {"error": {"message": "…", "type": "…", "code": "…", "details": {"source": "gateway"}}}
        schema = {"$ref": f"#/components/schemas/{'Envelope' if enveloped else 'Error'}"}
        yield str(status), {"description": _SAID[status], "content": _json(schema, example)}


def _plain(example: Any) -> dict[str, Any]:
    """Return content that is no envelope: an object, or a sentence."""
    if isinstance(example, str):
        return {"text/plain": {"schema": {"type": "string"}, "example": example}}
    return _json({"type": "object"}, example)


def _json(schema: dict[str, Any], example: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema, "example": example}}
