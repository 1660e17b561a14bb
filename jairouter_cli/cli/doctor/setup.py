"""The set-up that is examined: the configuration, the environment, and how commands about it are written."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from jairouter_cli.cli.models import KEY_VARIABLE
from jairouter_cli.config import token
from jairouter_cli.config.masking import secret_variables, secrets_in, shown_path
from jairouter_cli.config.model import Config
from jairouter_cli.config.store import Loaded

PROXY_VARIABLES: Final = ("http_proxy", "https_proxy", "all_proxy")


@dataclass(frozen=True, slots=True)
class Setup:
    """What is known at the beginning.

    `loaded` is None if the file cannot be used. `named` is the file if it was named on the command line; `url` is the
    address of the gateway if it was. `timeout_s` bounds each question. With `streams`, models may be asked to answer.
    """

    file: Path | None
    loaded: Loaded | None
    environ: Mapping[str, str]
    named: Path | None = None
    url: str | None = None
    timeout_s: float = 4.0
    streams: bool = False

    @property
    def config(self) -> Config:
        """The configuration; the defaults if the file cannot be used."""
        return self.loaded.config if self.loaded is not None else Config()

    def command(self, *words: object) -> str:
        """Return a command about this set-up, ready to be pasted into a shell."""
        before = ("jairouter",) if self.named is None else ("jairouter", "--config", str(self.named))
        return shlex.join([*before, *map(str, words)])

    def secrets(self) -> Iterator[str]:
        """Yield everything known here that must not be shown."""
        yield from secrets_in(self.config)
        named = {token.VARIABLE, KEY_VARIABLE}
        if self.loaded is not None:
            named |= secret_variables(self.loaded.document)
            if self.config.state.url is not None:
                yield from _credentials(self.config.state.url.value)
        yield from filter(None, map(self.environ.get, named))
        for name in PROXY_VARIABLES:
            yield from _credentials(self.environ.get(name) or self.environ.get(name.upper()) or "")


def _credentials(url: str) -> Iterator[str]:
    try:
        password = urlsplit(url).password
    except ValueError:
        return
    if password:
        yield from {password, unquote(password)}


def readable(text: str, most: int = 80) -> str:
    """Return what others wrote as one line for a terminal: shortened, without control characters."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in text[: most + 1])
    return plain if len(plain) <= most else plain[:most] + "..."


def address(url: str) -> str:
    """Return an address, or an instance's id, without what may be a key in it."""
    return readable(shown_path(url), 200)
