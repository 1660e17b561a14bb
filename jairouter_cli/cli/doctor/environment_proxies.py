"""Checks the HTTP proxies that backends are reached through."""

import ipaddress
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import urlsplit

from jairouter_cli.cli.doctor.finding import Finding, ok, warning
from jairouter_cli.cli.doctor.setup import PROXY_VARIABLES, Setup, address
from jairouter_cli.cli.language import _
from jairouter_cli.gateway.upstream.exchange import UpstreamFailure
from jairouter_cli.gateway.upstream.proxies import Proxies
from jairouter_cli.routing.call import Target

_CHECK: Final = "proxy"


def environment_proxies(setup: Setup, targets: Sequence[Target]) -> Iterator[Finding]:
    """Yield which backends are reached through which proxy. One that cannot be used shows where backends are asked."""
    setting = setup.config.webclient.proxy
    proxies = Proxies(None if setting is None else setting.value.removeprefix("none"), setup.environ)
    used: dict[str, set[str]] = defaultdict(set)
    for target in targets:
        url = urlsplit(target.origin)
        try:
            found = proxies.find(url.scheme, url.hostname or "", url.port, target.proxy)
        except (UpstreamFailure, ValueError):
            continue
        if target.enabled and found is not None:
            used[str(found)].add(target.origin)
    for proxy, origins in used.items():
        inner = sorted(origin for origin in origins if _is_private(origin))
        if inner:
            host = urlsplit(inner[0]).hostname
            yield warning(
                _CHECK,
                _("{url} is reached through the proxy {proxy}").format(url=address(inner[0]), proxy=address(proxy)),
                why=_("its address is private: a proxy for the internet rarely reaches it, and may buffer streams"),
                fix=_("export NO_PROXY={host}, where the gateway is started").format(host=host),
            )
        else:
            text = _("{number} backends are reached through the proxy {proxy}")
            yield ok(_CHECK, text.format(number=len(origins), proxy=address(proxy)))
    named = [name.upper() for name in PROXY_VARIABLES if setup.environ.get(name) or setup.environ.get(name.upper())]
    if named and not used:
        yield ok(_CHECK, _("no backend is reached through a proxy ({names} set)").format(names=", ".join(named)))


def _is_private(origin: str) -> bool:
    try:
        return ipaddress.ip_address(urlsplit(origin).hostname or "").is_private
    except ValueError:
        return False
