"""Where configuration files live: --config, JAIROUTER_CONFIG, the working folder, the user's folder, the system's."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from jairouter_cli.errors import ConfigNotFound

VARIABLE: Final = "JAIROUTER_CONFIG"
NAMES: Final = ("jairouter.yaml", "jairouter.yml")


def find(explicit: Path | None, environ: Mapping[str, str], cwd: Path) -> Path:
    """Return the configuration file in use; one that is named must exist. Raises `ConfigNotFound`."""
    named = explicit or (Path(environ[VARIABLE]) if environ.get(VARIABLE) else None)
    places = [cwd / named] if named else list(places_to_look(cwd))
    for place in places:
        if place.is_file() or (named and place.exists()):
            return place
    raise ConfigNotFound(searched="\n".join(f"  {place}" for place in places))


def default_target(explicit: Path | None, environ: Mapping[str, str], cwd: Path) -> Path:
    """Return where a new configuration file goes."""
    named = explicit or (Path(environ[VARIABLE]) if environ.get(VARIABLE) else None)
    return cwd / (named or NAMES[0])


def places_to_look(cwd: Path) -> Iterator[Path]:
    """Yield where an unnamed configuration file may be, the first that exists wins."""
    import platformdirs  # noqa: PLC0415 - needed only when no file is named

    yield from (cwd / name for name in NAMES)
    for folder in (platformdirs.user_config_path, platformdirs.site_config_path):
        try:
            yield folder("jairouter", appauthor=False) / NAMES[0]
        except (RuntimeError, KeyError):  # there is no home folder
            continue
