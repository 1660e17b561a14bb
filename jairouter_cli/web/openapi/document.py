"""The API's description, OpenAPI 3.1, and the page that shows it; everything is served from here, nothing from the net.

Litestar describes the handlers by what they say of themselves (see `shown`). The endpoints of `/v1`, which are no
handlers of its own, are put in from their table.
"""

import copy
import io
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import metadata, resources
from typing import Any, Final, Protocol

import msgspec
from litestar import MediaType, Request, Response, get
from litestar.enums import OpenAPIMediaType
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.response import Redirect
from litestar.types import Method
from litestar.types.internal_types import PathParameterDefinition
from ruamel.yaml import YAML

from jairouter_cli.request_errors import NotFound
from jairouter_cli.web.openapi.samples import OPENAI, PARAMETERS
from jairouter_cli.web.openapi.shown import errors_of, schema_of

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
_OF_V1: Final = (400, 404, 408, 413, 415, 429, 502, 503, 504)


class Described(Protocol):
    """An endpoint of `/v1`, as far as it is described."""

    @property
    def tail(self) -> str:
        """Its path behind `/v1`."""

    @property
    def multipart(self) -> bool:
        """Whether it takes a form."""

    @property
    def path(self) -> str:
        """Where it is served."""

    @property
    def service(self) -> str:
        """The service that answers it."""

    @property
    def paths(self) -> tuple[str, ...]:
        """Everywhere it is served."""


_INTRODUCTION: Final = (
    "Three APIs on one port: requests to `/v1`, the OpenAI API and similar ones, are forwarded to an instance of the "
    "model; `/api` manages the gateway, and `/actuator` shows health, metrics and settings in the form of Spring Boot. "
    "`/api` needs the admin token, or a request from the gateway's own machine. `GET /v1/models` lists the models."
)

TAGS: Final[Mapping[str, str]] = {
    "统一模型接口": "Models: chat, embeddings, rerank, audio, images, and the list of models",
    "服务类型管理": "Services: list, add, change and remove",
    "服务实例管理": "Instances: list, add, change and remove",
    "模型信息接口": "Models with their instances",
    "负载均衡管理": "Load balancing",
    "配置版本管理": "Revisions of the configuration: list, compare, restore",
    "配置合并管理": "Imports of the Java version's revisions",
    "Token 使用量统计": "Token usage",
    "Monitoring": "State of instances, limits and circuit breakers",
    "Metric Registration": "Metrics of your own",
    "Actuator": "Health, metrics, settings and log levels, in the form of Spring Boot",
}
"""The tags in their order; the Chinese ones are those of the Java version."""


class AsJson(OpenAPIRenderPlugin):
    """The description as JSON."""

    def __init__(self, endpoints: Sequence[Described]) -> None:
        super().__init__(path=["/api-docs", "/openapi.json"], media_type=MediaType.JSON)
        self._endpoints = endpoints

    def render(self, _: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Return the document."""
        return msgspec.json.encode(description(openapi_schema, self._endpoints))


class AsYaml(OpenAPIRenderPlugin):
    """The same as YAML."""

    def __init__(self, endpoints: Sequence[Described]) -> None:
        super().__init__(path="/api-docs.yaml", media_type=OpenAPIMediaType.OPENAPI_YAML)
        self._endpoints = endpoints

    def render(self, _: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Return the document."""
        stream = io.StringIO()
        yaml = YAML(typ="safe", pure=True)
        yaml.representer.ignore_aliases = lambda *_: True
        yaml.dump(description(openapi_schema, self._endpoints), stream)
        return stream.getvalue().encode()


def openapi_config(endpoints: Sequence[Described]) -> OpenAPIConfig:
    """Return how Litestar describes and serves the API: in place of its own pages, which load from the net."""
    return OpenAPIConfig(
        title="JAiRouter",
        version=metadata.version("jairouter"),
        path="/v3",
        render_plugins=[AsJson(endpoints), AsYaml(endpoints)],
        create_examples=False,
        use_handler_docstrings=True,
        operation_id_creator=operation_id,
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


def description(generated: dict[str, Any], endpoints: Sequence[Described]) -> dict[str, Any]:
    """Return the whole document: what Litestar makes of the handlers, and the endpoints of `/v1`, which have none."""
    found = copy.deepcopy(generated)
    paths: dict[str, dict[str, Any]] = {_in_camel_case(path): item for path, item in found["paths"].items()}
    for item in list(paths.values()):
        for method, operation in list(item.items()):
            if (whole := operation.pop("x-path", None)) is not None:  # what follows a whole path is no route of its own
                paths[whole] = {method: item.pop(method)}
            for parameter in operation.get("parameters", ()):
                parameter["name"] = _in_camel_case(parameter["name"])
                if parameter["name"] in PARAMETERS:
                    parameter["example"] = PARAMETERS[parameter["name"]]
    for endpoint in endpoints:
        for path in endpoint.paths:
            paths[path] = {"post": _endpoint(endpoint, path)}
    found["info"]["description"] = _INTRODUCTION
    found["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    found["paths"] = {path: item for path, item in sorted(paths.items(), key=_place) if item}
    found["components"] = {
        "schemas": {"Envelope": _ENVELOPE, "Error": _ERROR},
        "securitySchemes": {
            "bearer": {"type": "http", "scheme": "bearer"},
            "adminToken": {"type": "apiKey", "in": "header", "name": "X-Admin-Token"},
        },
    }
    return found


def _place(path: tuple[str, dict[str, Any]]) -> tuple[int, bool, str]:
    """Return where a path stands: with those of its tag, in the order of `TAGS`."""
    name, operations = path
    tags = [tag for operation in operations.values() for tag in operation.get("tags", ())]
    return list(TAGS).index(tags[0]) if tags else len(TAGS), not name.startswith("/v1/"), name


def operation_id(_: Any, method: Method, parts: list[str | PathParameterDefinition]) -> str:
    """Return the name of an operation in generated clients: `get_api_config_type_services_by_service_type`."""
    words = [part if isinstance(part, str) else f"by_{part.name}" for part in parts]
    return re.sub(r"\W+", "_", "_".join([method.lower(), *words]))


def _in_camel_case(text: str) -> str:
    """Return a path, or the name of a parameter, with parameters in camel case, as they are elsewhere in the API."""
    return re.sub(r"(?<=[a-z])_([a-z])(?=[a-z_]*(?:\}|$))", lambda found: found[1].upper(), text)


def _endpoint(endpoint: Described, path: str) -> dict[str, Any]:
    """Describe an endpoint of the OpenAI API: its answer is the backend's."""
    body, answer = OPENAI[endpoint.tail]
    kind = "multipart/form-data" if endpoint.multipart else "application/json"
    schema: dict[str, Any] = {"type": "object", "required": ["model"], "properties": {"model": {"type": "string"}}}
    told: dict[str, Any] = {"application/json": {"schema": schema_of(answer), "example": answer}}
    if answer is None:
        told = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    return {
        "tags": ["统一模型接口"],
        "summary": f"Forward a request to {endpoint.path} (service {endpoint.service})",
        "description": "The request goes unchanged to an instance whose `name` is `model`; so does the answer.",
        "operationId": "post" + path.replace("/", "_"),
        "requestBody": {"required": True, "content": {kind: {"schema": schema, "example": body}}},
        "responses": {
            "200": {"description": "What the instance answers", "content": told},
            "4XX": {
                "description": "Refused by the instance or the gateway",
                "content": {"application/json": {"schema": {}}},
            },
            **dict(errors_of(_OF_V1)),
        },
    }
