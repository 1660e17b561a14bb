"""Whether a server could listen, found out before it is started."""

import errno
import socket

from jairouter_cli.errors import ServeError


def bindable(host: str, port: int) -> int:
    """Return the port to listen on: `port`, or a free one for 0. Raises `ServeError` where nobody can listen.

    Granian lets several processes share a port, so a second server on it would start and take half the requests.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise ServeError(message=f"cannot listen on {host}: {error.strerror}") from None
    with socket.socket(family, kind, proto) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            raise _cannot(host, port, error) from None
        return int(probe.getsockname()[1])


def _cannot(host: str, port: int, error: OSError) -> ServeError:
    if error.errno == errno.EADDRINUSE:
        return ServeError(
            message=f"port {port} on {host} is taken",
            hint=f"end the other program, or choose another port: --port {port + 1}",
        )
    if error.errno == errno.EACCES:
        return ServeError(message=f"this user may not listen on port {port}", hint="choose a port from 1024 up: --port")
    return ServeError(message=f"cannot listen on {host}:{port}: {error.strerror}", hint="see --host and --port")
