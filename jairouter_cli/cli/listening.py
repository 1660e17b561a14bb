"""Checks whether the gateway can listen on an address, before it starts."""

import errno
import ipaddress
import socket
from typing import Final

from jairouter_cli.cli import output
from jairouter_cli.cli.language import _, marked
from jairouter_cli.errors import ServeError

_WHERE: Final = marked(
    "use --host: 127.0.0.1 for this machine only, 0.0.0.0 for all IPv4 addresses, :: for all addresses"
)

_LAST_PORT: Final = 65535


def resolved(host: str) -> str:
    """Return the address of a host; for a name, the first IPv4 address, because most clients try that one.

    Raises `ServeError` for a host that cannot be used.
    """
    name = host.strip().removeprefix("[").removesuffix("]")
    if not name:
        raise ServeError(message="the address to listen on is empty", hint=_WHERE)
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise ServeError(message=_refused(host, error.strerror), hint=_WHERE) from None
    except ValueError:  # no name at all: too long, say
        raise ServeError(message=_refused(host, _("it is neither a host name nor an address")), hint=_WHERE) from None
    addresses = [str(one[4][0]) for one in sorted(found, key=lambda one: one[0] != socket.AF_INET)]
    if "%" in addresses[0] or "%" in name:
        message = _refused(host, _("addresses with a zone are not supported"))
        raise ServeError(message=message, hint="listen on :: instead")
    return addresses[0]


def bindable(host: str, port: int) -> int:
    """Return the port to listen on: `port`, or a free one for 0. Raises `ServeError` where nobody can listen."""
    return place(host, port)[1]


def place(host: str, port: int) -> tuple[str, int]:
    """Return the address and the port to listen on; a free port for 0. Raises `ServeError` where nobody can listen.

    Granian lets several processes share a port, so a second server on it would start and take half the requests.
    """
    address = resolved(host)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
            return address, int(probe.getsockname()[1])
    except OSError as error:
        raise _cannot(host, address, port, error) from None


def _cannot(host: str, address: str, port: int, error: OSError) -> ServeError:
    if error.errno == errno.EADDRINUSE:
        return ServeError(
            message=_("port {port} on {host} is in use").format(port=port, host=host),
            hint=_("stop the other program, or choose another port: --port {port}").format(
                port=port + 1 if port < _LAST_PORT else 0
            ),
        )
    if error.errno == errno.EACCES:
        message = _("this user may not listen on port {port}").format(port=port)
        return ServeError(message=message, hint="use --port with a port from 1024 up")
    if error.errno == errno.EADDRNOTAVAIL:
        named = host if host == address else f"{host} ({address})"
        return ServeError(message=_refused(named, _("this machine does not have that address")), hint=_WHERE)
    return ServeError(message=_refused(f"{host}:{port}", error.strerror), hint="see --host and --port")


def _refused(host: str, reason: str | None) -> str:
    return _("cannot listen on {host}: {reason}").format(host=host, reason=reason)


def is_loopback(address: str) -> bool:
    """Whether only programs of this machine reach an address."""
    found = ipaddress.ip_address(address)
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback


def warn_if_open(host: str, address: str) -> None:
    """Warn if others than programs of this machine reach an address, for nobody is asked for a key there."""
    if not is_loopback(address):
        output.warn(
            _(
                "listening on {host} without authentication: "
                "anyone who can reach the port can use the backends and their keys"
            ).format(host=host)
        )
