"""Checks who can reach the gateway and what they can do there, and settings that are rarely meant."""

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from jairouter_cli.cli.doctor.finding import Finding, failed, ok, warning
from jairouter_cli.cli.doctor.setup import Setup
from jairouter_cli.cli.language import _, marked
from jairouter_cli.cli.listening import is_loopback, resolved
from jairouter_cli.config.management import ENDPOINTS, Show
from jairouter_cli.config.model import BREAKER_DEFAULTS, CircuitBreaker, Config
from jairouter_cli.config.token import admin_token
from jairouter_cli.errors import ServeError

_CHECK: Final = "exposure"
_SHORT_TOKEN: Final = 16
_EVERYONE: Final = frozenset({"0.0.0.0/0", "::/0"})
_PAGE: Final = marked("put a reverse proxy with TLS and access control in front (docs/reverse-proxy.md)")


def exposure(setup: Setup) -> Iterator[Finding]:
    """Yield who can reach the gateway, and what they get there."""
    server = setup.config.server
    try:
        is_local = is_loopback(resolved(server.host))
    except ServeError:  # reported with the port
        return
    if is_local:
        yield ok(_CHECK, _("only programs of this machine can reach the gateway"))
    else:
        yield warning(
            _CHECK,
            _("the gateway listens on {host} and does not ask clients for a key").format(host=server.host),
            why=_("anyone who can reach the port can use the backends and their keys"),
            fix=_("{command}, or {page}").format(
                command=setup.command("config", "set", "server.host", "127.0.0.1"), page=_(_PAGE)
            ),
        )
    yield from _management(setup, is_local=is_local)
    if _EVERYONE.intersection(server.trusted_proxies):
        yield warning(
            _CHECK,
            _("server.trusted-proxies contains every address"),
            why=_("each client can name any address as its own, and escape limits and logs"),
            fix=setup.command("config", "set", "server.trusted-proxies", "[127.0.0.1]"),
        )
    if "*" in server.cors.allowed_origins:
        yield warning(
            _CHECK,
            _("server.cors.allowed-origins is *"),
            why=_("every web page that somebody here opens can use the models"),
            fix=setup.command("config", "unset", "server.cors.allowed-origins"),
        )


def _management(setup: Setup, *, is_local: bool) -> Iterator[Finding]:
    """Yield who can use the management API, and what `/actuator` shows."""
    server, management = setup.config.server, setup.config.management
    token = admin_token(server, setup.environ)
    set_token = setup.command("config", "set", "server.admin-token", "${JAIROUTER_ADMIN_TOKEN}")
    why = _("whoever uses the management API can send the prompts of all clients elsewhere")
    if token is not None and len(token) < _SHORT_TOKEN:
        text = _("the admin token has fewer than {number} characters").format(number=_SHORT_TOKEN)
        yield warning(_CHECK, text, why=why, fix="export JAIROUTER_ADMIN_TOKEN=$(openssl rand -hex 32)")
    if token is None and server.open_management:
        judge = warning if is_local else failed
        yield judge(
            _CHECK, _("the management API is open to everyone (server.open-management)"), why=why, fix=set_token
        )
    elif token is None and not is_local:
        yield warning(
            _CHECK,
            _("no admin token is set, and others than this machine can reach the gateway"),
            why=_("a proxy on this machine that is not in server.trusted-proxies makes everyone its administrator"),
            fix=set_token,
        )
    shown = management.endpoints.web.exposure
    exposed = set(ENDPOINTS if "*" in shown.include else shown.include) - set(shown.exclude)
    for name, settings in (("env", management.endpoint.env), ("configprops", management.endpoint.configprops)):
        if settings.show_values is Show.ALWAYS and name in exposed:
            key = f"management.endpoint.{name}.show-values"
            yield warning(
                _CHECK,
                _("/actuator/{name} shows values to everyone ({key})").format(name=name, key=key),
                why=_("settings and environment variables are nobody else's business"),
                fix=setup.command("config", "set", key, Show.WHEN_AUTHORIZED),
            )
    if not is_local and management.endpoint.health.show_details is Show.ALWAYS and "health" in exposed:
        key = "management.endpoint.health.show-details"
        yield warning(
            _CHECK,
            _("/actuator/health shows addresses and models of all backends to everyone"),
            why=_("others than this machine can reach the gateway"),
            fix=setup.command("config", "set", key, Show.WHEN_AUTHORIZED),
        )


class Odd(NamedTuple):
    """A value that is rarely meant: when it is, and what comes of it; `instead` is a usual one."""

    key: str
    value: Callable[[Config], Any]
    is_odd: Callable[[Any, Config], bool]
    why: str
    instead: str


_ODD: Final = (
    Odd(
        "webclient.connection-timeout",
        lambda config: config.webclient.connection_timeout_s,
        lambda value, _config: value > 60,  # noqa: PLR2004 - seconds; a network takes milliseconds
        marked("a backend that is down is waited for so long before the next instance gets the request"),
        "5s",
    ),
    Odd(
        "webclient.read-timeout",
        lambda config: config.webclient.read_timeout_s,
        lambda value, _config: value < 15,  # noqa: PLR2004
        marked("large models need longer for their first token; their requests fail, and are sent again"),
        "300s",
    ),
    Odd(
        "webclient.total-timeout",
        lambda config: config.webclient.total_timeout_s,
        lambda value, _config: value is not None and value < 30,  # noqa: PLR2004
        marked("long responses are cut off"),
        "30m",
    ),
    Odd(
        "model.load-balance.health-check.interval",
        lambda config: config.model.load_balance.health_check.interval_s,
        lambda value, config: config.model.load_balance.health_check.enabled and value < 1,
        marked("backends spend their time on health checks"),
        "30s",
    ),
    Odd(
        "model.load-balance.health-check.timeout",
        lambda config: config.model.load_balance.health_check.timeout_s,
        lambda value, config: config.model.load_balance.health_check.enabled and value < 0.5,  # noqa: PLR2004
        marked("a backend that is busy counts as down"),
        "5s",
    ),
    Odd(
        "model.circuit-breaker.timeout",
        lambda config: _breaker(config, "timeout_s"),
        lambda value, config: _has_breaker(config) and not 1 <= value <= 600,  # noqa: PLR2004
        marked("an instance should get requests again after seconds or minutes"),
        "30s",
    ),
    Odd(
        "model.circuit-breaker.failure-threshold",
        lambda config: _breaker(config, "failure_threshold"),
        lambda value, config: _has_breaker(config) and _breaker(config, "failure_ratio") is None and value == 1,
        marked("a single failed request takes an instance out of use"),
        "5",
    ),
    Odd(
        "model.queue.timeout",
        lambda config: config.model.queue.timeout_s,
        lambda value, _config: value > 600,  # noqa: PLR2004
        marked("clients give up before their request gets a slot"),
        "30s",
    ),
    Odd(
        "server.shutdown.timeout",
        lambda config: config.server.shutdown.timeout_s,
        lambda value, _config: value > 900,  # noqa: PLR2004
        marked("service managers kill the gateway long before"),
        "60s",
    ),
)


def _has_breaker(config: Config) -> bool:
    return bool(_breaker(config, "enabled"))


def _breaker(config: Config, name: str) -> Any:
    levels: tuple[CircuitBreaker | None, ...] = (config.model.circuit_breaker, BREAKER_DEFAULTS)
    return next((value for one in levels if one is not None and (value := getattr(one, name)) is not None), None)


def settings(setup: Setup) -> Iterator[Finding]:
    """Yield the settings that are rarely meant."""
    for odd in _ODD:
        value = odd.value(setup.config)
        if odd.is_odd(value, setup.config):
            shown = f"{value:g}" if odd.instead.isdecimal() else f"{value:g} s"
            yield warning(
                "settings",
                _("{key} is {value}").format(key=odd.key, value=shown),
                why=_(odd.why),
                fix=setup.command("config", "set", odd.key, odd.instead),
            )
