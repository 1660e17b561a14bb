"""Checks the Redis server that hosts share their limits on."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from jairouter_cli.cli.doctor.finding import Finding, failed, ok, warning
from jairouter_cli.cli.doctor.setup import Setup, readable
from jairouter_cli.cli.language import _
from jairouter_cli.config.model import State

_CHECK: Final = "redis"
_OLDEST: Final = 5  # scripts that look at the clock may write only from this version on


def redis_server(setup: Setup) -> Iterator[Finding]:
    """Yield how the server of `state.url` is; nothing if none is configured."""
    state = setup.config.state
    if state.url is None:
        return
    try:
        import redis  # noqa: PLC0415 - optional
    except ImportError:
        text = _("state.url is set, but the Python package redis is not installed")
        yield failed(_CHECK, text, why=_("the gateway does not start"), fix="pip install 'jairouter[redis]'")
        return
    where = _place(state)
    why = _("each host applies limits on its own until it can be reached")
    try:
        with redis.Redis.from_url(
            state.url.value, socket_connect_timeout=setup.timeout_s, socket_timeout=setup.timeout_s, retry=None
        ) as server:
            server.ping()
            version = str(server.info("server").get("redis_version", ""))
    except redis.AuthenticationError as error:
        text = _("{place} does not accept user and password: {reason}").format(place=where, reason=_short(error))
        fix = setup.command("config", "set", "state.url", "redis://:${REDIS_PASSWORD}@HOST:6379")
        yield failed(_CHECK, text, why=why, fix=fix)
        return
    except (redis.RedisError, OSError, ValueError) as error:
        text = _("{place} cannot be used: {reason}").format(place=where, reason=_short(error))
        fix = _("start Redis there, or {command}").format(
            command=setup.command("config", "set", "state.url", "redis://HOST:6379")
        )
        yield failed(_CHECK, text, why=why, fix=fix)
        return
    major = version.partition(".")[0]
    if major.isdecimal() and int(major) < _OLDEST:
        text = _("{place} has version {version}").format(place=where, version=readable(version, 20))
        yield warning(_CHECK, text, why=_("the limits need version 5 or newer"), fix=_("upgrade Redis"))
        return
    yield ok(_CHECK, _("{place} responds, version {version}").format(place=where, version=readable(version, 20)))


def _place(state: State) -> str:
    """Return where the server is, without user and password."""
    url = urlsplit(state.url.value if state.url is not None else "")
    return readable(url.path if url.scheme == "unix" else url.netloc.rpartition("@")[2])


def _short(error: Exception) -> str:
    """Return an error's text; the messages of the client library name hosts, and never the password."""
    return readable(str(error) or type(error).__name__, 200)
