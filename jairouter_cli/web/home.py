"""What stands at `/`: where everything is, for a person with a browser or with curl."""

from importlib import metadata
from typing import Any, Final

from litestar import MediaType, Request, Response, get

_PLACES: Final = {
    "openai": ("/v1", "the OpenAI API: the base URL for clients"),
    "models": ("/v1/models", "the models"),
    "health": ("/actuator/health", "health; also at /health"),
    "metrics": ("/actuator/prometheus", "metrics for Prometheus; also at /metrics"),
    "management": ("/api/config/type/services", "the management API: services and instances"),
    "docs": ("/swagger-ui/index.html", "the API description"),
}
_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>JAiRouter</title></head>
<body>
<h1>JAiRouter {version}</h1>
<ul>
{items}
</ul>
</body>
</html>
"""


def home_routes() -> list[Any]:
    """Return the route of `/`."""
    version = metadata.version("jairouter")

    @get("/", include_in_schema=False)
    async def home(request: Request[Any, Any, Any]) -> Response[Any]:
        """Say where everything is: a page for browsers, JSON for others."""
        if "text/html" in request.headers.get("accept", ""):
            items = "\n".join(f'<li><a href="{path}">{path}</a>: {what}</li>' for path, what in _PLACES.values())
            return Response(_PAGE.format(version=version, items=items), media_type=MediaType.HTML)
        places = {name: path for name, (path, _) in _PLACES.items()}
        return Response({"name": "JAiRouter", "version": version, **places})

    return [home]
