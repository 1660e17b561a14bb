"""What a client is told that names a model which nobody has: the name that may be meant, and those that there are."""

import difflib
from collections.abc import Collection
from typing import Final

from jairouter_cli.config.model import ServiceType
from jairouter_cli.request_errors import ModelNotFound

_LISTED: Final = 10
# Similarity costs 10 us a name: beyond these, only names that begin alike are proposed.
_COMPARED: Final = 100
_LONGEST: Final = 64


def model_not_found(
    pools: Collection[tuple[ServiceType, str]], service: ServiceType | None, model: str
) -> ModelNotFound:
    """Return the error for a model that no pool of a service has, or no pool at all if `service` is None."""
    names = list(dict.fromkeys(name for kind, name in pools if service in {None, kind}))
    return ModelNotFound(
        model=model,
        service=None if service is None else service.value,
        nearest=_nearest(model, names),
        models=names[:_LISTED],
        more=max(0, len(names) - _LISTED),
        elsewhere=[kind.value for kind, name in pools if name == model],
    )


def _nearest(model: str, names: list[str]) -> str | None:
    """Return the name that is likely meant."""
    if not model or len(model) > _LONGEST:
        return None
    lowered = model.lower()
    alike = {name.lower(): name for name in reversed(names) if len(name) <= _LONGEST}
    # a name without its tag, or with a maker's in front, as other servers take it
    begun = [
        low for low in alike if low.startswith(lowered) or low.endswith("/" + lowered) or lowered.endswith("/" + low)
    ]
    if begun:
        return alike[min(begun, key=len)]
    if len(alike) > _COMPARED:
        return None
    close = difflib.get_close_matches(lowered, alike, 1)
    return alike[close[0]] if close else None
