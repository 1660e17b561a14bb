"""What a client is told that names a model which nobody has: the name that may be meant, and those that there are."""

import difflib
from collections.abc import Collection, Iterable
from typing import Final

from jairouter_cli.config.model import ServiceType
from jairouter_cli.request_errors import ModelNotFound

_LISTED: Final = 10
_LONGEST: Final = 64
# Pairs of letters that are compared for likeness, which takes 0.2 ms: whoever sends wrong names must not keep us busy.
_PAIRS: Final = 5000


def model_not_found(
    pools: Collection[tuple[ServiceType, str]], service: ServiceType | None, model: str
) -> ModelNotFound:
    """Return the error for a model that no pool of a service has, or no pool at all if `service` is None."""
    names = list(dict.fromkeys(name for kind, name in pools if service in {None, kind}))
    elsewhere = [kind.value for kind, name in pools if name == model]
    return ModelNotFound(
        model=model,
        service=None if service is None else service.value,
        nearest=None if elsewhere else _nearest(model, names),
        models=names[:_LISTED],
        more=max(0, len(names) - _LISTED),
        elsewhere=elsewhere,
    )


def _nearest(model: str, names: list[str]) -> str | None:
    """Return the name that is likely meant."""
    if not model or len(model) > _LONGEST:
        return None
    lowered = model.lower()
    alike: dict[str, str] = {}
    for name in names:
        alike.setdefault(name.lower(), name)
    # a name without its tag, or without or with a maker's in front, as other servers take it
    own, made = lowered.rpartition("/")[2], f"/{lowered}"
    begun = [low for low in alike if low.startswith(lowered) or low.endswith(made) or low == own]
    if begun:
        return alike[min(begun, key=len)]
    close = difflib.get_close_matches(lowered, _affordable(lowered, alike), 1)
    return alike[close[0]] if close else None


def _affordable(model: str, names: Iterable[str]) -> list[str]:
    """Return as many of the names as may be compared with a model's."""
    found, left = [], _PAIRS
    for name in names:
        left -= len(model) * len(name)
        if left < 0:
            break
        found.append(name)
    return found
