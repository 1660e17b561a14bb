"""Errors of sockets, names and TLS in words: what an operator reads in log, health checks and `explain`."""

import errno
import os
import socket
import ssl
from typing import Final

# OpenSSL's reasons for a handshake with somebody who does not speak TLS.
_NOT_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"})


def reason(error: BaseException) -> str:
    """Return why a connection could not be made, or broke: what an error's number means depends on its class."""
    if isinstance(error, ssl.SSLError):
        return _of_tls(error)
    if isinstance(error, socket.gaierror | socket.herror):
        return error.strerror or str(error)
    number = error.errno if isinstance(error, OSError) else None
    if number is None and isinstance(error, ConnectionResetError):  # asyncio's own, in a handshake, says nothing
        number = errno.ECONNRESET
    return os.strerror(number) if number else str(error) or type(error).__name__


def _of_tls(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message or error.reason}".rstrip(".")
    if error.reason in _NOT_TLS:
        return "TLS handshake failed: the backend does not speak TLS; its base-url should begin with http://"
    return f"TLS failed: {(error.reason or error.strerror or str(error)).replace('_', ' ').lower()}"
