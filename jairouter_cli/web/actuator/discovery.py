"""`/actuator`: what there is, as links."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from litestar import Response, get
from litestar.datastructures import Headers

from jairouter_cli.auth.client_ip import forwarded, is_trusted, pairs
from jairouter_cli.config.management import Access
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.web.actuator.conventions import BASE, access, answer
from jairouter_cli.web.actuator.shown import of_actuator
from jairouter_cli.web.errors import AnyRequest
from jairouter_cli.web.views.node import Node

# The Java version's names; what is ours alone (`jairouter-metrics`) is no endpoint of Spring's and is not listed there.
_LINKS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "health": (("health", ""), ("health-path", "/{*path}")),
    "info": (("info", ""),),
    "metrics": (("metrics", ""), ("metrics-requiredMetricName", "/{requiredMetricName}")),
    "prometheus": (("prometheus", ""),),
    "env": (("env", ""), ("env-toMatch", "/{toMatch}")),
    "configprops": (("configprops", ""), ("configprops-prefix", "/{prefix}")),
    "loggers": (("loggers", ""), ("loggers-name", "/{name}")),
}
_PORTS: Final = {"http": "80", "https": "443"}


def discovery_routes(gateway: Gateway) -> list[Any]:
    """Return the route."""

    @get(
        BASE,
        summary="List the endpoints of the actuator",
        operation_class=of_actuator(
            {"_links": {"self": {"href": "http://127.0.0.1:8080/actuator", "templated": False}}}
        ),
    )
    async def discovery(request: AnyRequest) -> Response[Node]:
        """Links to the endpoints that are exposed."""
        return answer(request, {"_links": dict(_links(gateway, base_url(request, gateway) + BASE))})

    return [discovery]


def _links(gateway: Gateway, base: str) -> Iterator[tuple[str, Node]]:
    yield "self", {"href": base, "templated": False}
    for endpoint, links in _LINKS.items():
        if access(gateway.table.config, endpoint) is not Access.NONE:
            for name, rest in links:
                yield name, {"href": f"{base}/{endpoint}{rest}", "templated": bool(rest)}


def base_url(request: AnyRequest, gateway: Gateway) -> str:
    """Return the address under which the client knows this gateway: that of a trusted proxy, if one is between."""
    peer = request.client.host if request.client else ""
    said: Mapping[str, str] = {}
    if is_trusted(peer, tuple(gateway.table.config.server.trusted_proxies)):
        said = _said_by_proxy(request.headers)
    scheme = said.get("proto", request.scope["scheme"]).lower()
    host = said.get("host") or request.headers.get("host") or _server(request)
    if scheme not in _PORTS:
        scheme = "http"
    port = said.get("port", _PORTS[scheme])
    if port != _PORTS[scheme] and ":" not in host.rpartition("]")[2]:
        host = f"{host}:{port}"
    return f"{scheme}://{host}{said.get('prefix', '')}"


def _said_by_proxy(headers: Headers) -> Mapping[str, str]:
    """Return what a proxy says of its own address: `X-Forwarded-*`, or `Forwarded` (RFC 7239) where there is none."""
    first = {
        name: headers.get(f"x-forwarded-{name}", "").split(",")[0].strip()
        for name in ("proto", "host", "port", "prefix")
    }
    said = {name: value for name, value in first.items() if value}
    if said:
        said["prefix"] = said.get("prefix", "").rstrip("/")
        return said
    nearest = pairs(forwarded(headers.getall("forwarded", []))[0])
    return {name: value for name in ("proto", "host") if (value := nearest.get(name))}


def _server(request: AnyRequest) -> str:
    """Return where a client of HTTP/1.0 came in, which need not send `Host`."""
    host, port = request.scope["server"] or ("localhost", None)
    bare = f"[{host}]" if ":" in host else host
    return bare if port is None else f"{bare}:{port}"
