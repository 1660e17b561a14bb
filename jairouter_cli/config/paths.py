"""Finds the configuration file: --config, JAIROUTER_CONFIG, the working folder, the user's folder, the system's."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from jairouter_cli.errors import ConfigNotFound

VARIABLE: Final = "JAIROUTER_CONFIG"
NAMES: Final = ("jairouter.yaml", "jairouter.yml")


def find(explicit: Path | None, environ: Mapping[str, str], cwd: Path) -> Path:
    """Return the configuration file in use; one that is named must exist. Raises `ConfigNotFound`."""
    named = _named(explicit, environ)
    if named is not None:
        places = [cwd / named]
        if not _is_missing(places[0]):
            return places[0]
    else:
        places = []
        for place in places_to_look(cwd):
            if os.path.isfile(place):  # noqa: PTH113 - Path.is_file raises for closed folders
                return place
            places.append(place)
    raise ConfigNotFound(searched="\n".join(f"  {place}" for place in places))


def default_target(explicit: Path | None, environ: Mapping[str, str], cwd: Path) -> Path:
    """Return where a new configuration file goes."""
    return cwd / (_named(explicit, environ) or NAMES[0])


def places_to_look(cwd: Path) -> Iterator[Path]:
    """Yield where an unnamed configuration file may be, the first that exists wins."""
    yield from (cwd / name for name in NAMES)
    import platformdirs  # noqa: PLC0415 - needed only when no file is named, nor there

    for folder in (platformdirs.user_config_path, platformdirs.site_config_path):
        try:
            place = folder("jairouter", appauthor=False) / NAMES[0]
        except (RuntimeError, KeyError):  # there is no home folder
            continue
        if place.is_absolute():  # without a home folder it may be `~/.config`, which nobody means
            yield place


def _named(explicit: Path | None, environ: Mapping[str, str]) -> Path | None:
    return explicit or (Path(environ[VARIABLE]) if environ.get(VARIABLE) else None)


def _is_missing(place: Path) -> bool:
    """Whether nothing is there; what cannot be looked at may be there, and reading it says what is wrong."""
    try:
        place.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
