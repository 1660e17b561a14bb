"""`docs/api.md`: the routes of a gateway, from the description that it serves."""

import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from scripts.reference.markdown import made_by, table
from tests.process import config, serving

INTRO: Final = """\
# HTTP API reference

Every route that the gateway serves. A running gateway describes them in full, with parameters and examples: open
`http://127.0.0.1:8080/swagger-ui.html`, or fetch the OpenAPI 3.1 document from `/v3/api-docs`.

- [Routing](routing.md) describes what happens to a request for a model, [errors](errors.md) what a client gets when it
  fails.
- [Access](management.md#access) describes who can use `/api` and `/actuator`.
- `/api/v1/...` is the same as `/v1/...`.
"""
_TITLES: Final = {
    "/v1": "Models (`/v1`)",
    "/api": "Management (`/api`)",
    "/actuator": "Actuator (`/actuator`)",
    "": "Others",
}


def page() -> str:
    """Return the page, for a gateway that is started for it."""
    with TemporaryDirectory() as folder:
        file, log = config(Path(folder), "server: {locale: en}\n"), Path(folder, "log")
        with serving("--config", str(file), stderr=log) as served:
            return of_document(served.get("/v3/api-docs").json())


def of_document(document: Mapping[str, Any]) -> str:
    """Return the page for an OpenAPI document."""
    groups: dict[str, list[tuple[str, str, str]]] = {prefix: [] for prefix in _TITLES}
    for path, methods in sorted(document["paths"].items()):
        if path.startswith("/api/v1/"):
            continue
        prefix = next(one for one in _TITLES if path == one or path.startswith(f"{one}/"))
        for method, operation in sorted(methods.items()):
            groups[prefix].append((method.upper(), f"`{path}`", _summary(operation)))
    parts = [made_by(INTRO)]
    for prefix, rows in groups.items():
        if rows:
            parts.append(f"## {_TITLES[prefix]}\n\n{table(('method', 'path', 'what it does'), rows)}")
    return "\n".join(parts)


def _summary(operation: Mapping[str, Any]) -> str:
    """Return what an operation does: its summary, or where that is the Java version's, its description."""
    summary, text = operation.get("summary", ""), operation.get("description", "")
    return summary if summary.isascii() and summary else re.split(r"(?<=[.])\s", text, maxsplit=1)[0].rstrip(".")
