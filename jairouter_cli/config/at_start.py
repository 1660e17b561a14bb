"""Keys that a gateway reads when it starts: an edit of one takes effect at the next start."""

from typing import Final

from msgspec import Struct

from jairouter_cli.config.model import Config
from jairouter_cli.config.spelling import kebab

# Paths of fields; a section stands for all that is in it.
AT_START: Final = (
    ("server", "host"),
    ("server", "port"),
    ("server", "workers"),
    ("server", "worker_timeout_s"),
    ("server", "shutdown"),
    ("webclient", "dns_cache_s"),
    ("webclient", "proxy"),
    ("webclient", "ssl"),
    ("webclient", "connection_pool"),
    ("state",),
    ("tracing",),
)


def waiting_for_start(before: Config, after: Config) -> tuple[str, ...]:
    """Return the keys whose new values take effect at the next start, as the file writes them."""
    changed = (path for path in AT_START if _at(before, path) != _at(after, path))
    return tuple(".".join(map(kebab, path)) for path in changed)


def read_at_start(section: type[Struct], key: str) -> bool:
    """Whether a key of a section is read at start, by itself or with the whole section."""
    found = Config()
    return any(
        type(_at(found, path)) is section or (type(_at(found, path[:-1])) is section and kebab(path[-1]) == key)
        for path in AT_START
    )


def _at(config: Config, path: tuple[str, ...]) -> object:
    found: object = config
    for name in path:
        found = getattr(found, name)
    return found
