"""The language of errors: the client's, if it is one that the gateway speaks."""

import re
from typing import Final

from jairouter_cli.config.model import Locale

_READ_OF_LANGUAGES: Final = 1024  # letters; browsers send fifty
_TAG: Final = re.compile(r"[a-z]{2,8}")
_WEIGHT: Final = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")  # RFC 9110, 12.4.2
_SPOKEN: Final = {locale.value: locale for locale in Locale}


def negotiate(accept_language: str | None, default: Locale) -> Locale:
    """Return the language that the client wants most of those we speak (RFC 9110, 12.5.4).

    `default` is for one that names no language; who wants others than ours is likely to read English.
    """
    if not accept_language:
        return default
    best, best_quality, wants_another = default, 0.0, False
    for entry in accept_language[:_READ_OF_LANGUAGES].split(","):
        language, _, weight = entry.partition(";")
        tag = language.partition("-")[0].strip().lower()
        spoken, quality = _SPOKEN.get(tag), _quality(weight)
        if spoken is not None and quality > best_quality:
            best, best_quality = spoken, quality
        wants_another = wants_another or (spoken is None and quality > 0 and _TAG.fullmatch(tag) is not None)
    return Locale.EN if wants_another and not best_quality else best


def _quality(weight: str) -> float:
    """Return how much something is wanted; what is no weight makes it unwanted."""
    if not weight.strip():
        return 1.0
    name, _, value = (part.strip() for part in weight.partition("="))
    return float(value) if name.lower() == "q" and _WEIGHT.fullmatch(value) else 0.0
