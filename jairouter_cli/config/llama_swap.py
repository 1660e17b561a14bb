"""Imports the configuration of llama-swap: each model with an address of its own becomes an instance.

The gateway starts no model servers: what says how to start and stop them is left out and listed.
"""

from collections.abc import Mapping
from typing import Any, Final

from jairouter_cli.config.foreign import TakenOver, fault_of
from jairouter_cli.config.scalars import text_of

_NO_ADDRESS: Final = "its proxy address is not fixed; use llama-swap's own address as base-url"


def is_llama_swap(root: Mapping[str, Any]) -> bool:
    """Whether a file is llama-swap's: its models have commands or addresses."""
    models = root.get("models")
    return isinstance(models, Mapping) and any(
        isinstance(one, Mapping) and ("cmd" in one or "proxy" in one) for one in models.values()
    )


def taken_over(root: Mapping[str, Any], environ: Mapping[str, str]) -> TakenOver:
    """Return a configuration of llama-swap as a `model` section."""
    found = TakenOver({})
    instances: list[dict[str, Any]] = []
    for key, entry in root["models"].items():
        name, place = text_of(key) or str(key), f"models.{key}"
        if not isinstance(entry, Mapping):
            found.left_out.append(f"{place}: not a mapping")
            continue
        made, rest = _instance(name, entry)
        why = _obstacle(made) or fault_of(made, environ)
        if why:
            found.left_out.append(f"{place}: {why}")
            continue
        aliases = [text_of(one) for one in _list(entry.get("aliases"))]
        named = [name, *(one for one in aliases if one)]
        upstream = made.get("upstream-model", name)
        instances += [
            {**made, "name": one, **({} if one == upstream else {"upstream-model": upstream})} for one in named
        ]
        found.imported.append(f"{place} as chat {', '.join(named)} at {made['base-url']}")
        if rest:
            found.left_out.append(f"{place}: {', '.join(rest)}")
    found.left_out += (f"{key}: all of it" for key in root if key != "models")
    found.section["services"] = {"chat": {"instances": instances}} if instances else {}
    return found


def _instance(name: str, entry: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the instance that an entry describes, and the keys that are not in it."""
    rest = {str(key): value for key, value in entry.items() if key != "aliases"}
    made: dict[str, Any] = {"name": name, "base-url": str(rest.pop("proxy", "")).rstrip("/")}
    if (upstream := text_of(rest.get("useModelName"))) and rest.pop("useModelName"):
        made["upstream-model"] = upstream
    check = rest.get("checkEndpoint")
    if isinstance(check, str) and check.startswith("/"):
        made["health-path"] = rest.pop("checkEndpoint")
    slots = rest.get("concurrencyLimit")
    if isinstance(slots, int) and not isinstance(slots, bool) and slots > 0:
        made["max-concurrency"] = int(rest.pop("concurrencyLimit"))
    return made, list(rest)


def _obstacle(made: Mapping[str, Any]) -> str:
    return _NO_ADDRESS if not made["base-url"] or "${" in made["base-url"] else ""


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value] if isinstance(value, str) else []
