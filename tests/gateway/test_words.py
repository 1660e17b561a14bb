"""Errors in words: each class has its own meaning for a number."""

import socket
import ssl

import pytest

from jairouter_cli.gateway.upstream.words import reason


def tls(what: str) -> ssl.SSLError:
    """Return an error as OpenSSL's binding makes it."""
    error = ssl.SSLError(1, f"[SSL: {what}] (_ssl.c:1006)")
    error.reason = what
    return error


def unverified(message: str) -> ssl.SSLCertVerificationError:
    """Return the error of a certificate."""
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED]")
    error.verify_message = message
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 1)"), "Connection refused"),
        (ConnectionResetError(), "Connection reset by peer"),
        (TimeoutError(110, "x"), "Connection timed out"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "Name or service not known"),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), "Temporary failure"),
        (unverified("certificate has expired"), "certificate verify failed: certificate has expired"),
        (
            unverified("IP address mismatch, certificate is not valid for '127.0.0.1'."),
            "certificate verify failed: IP address mismatch, certificate is not valid for '127.0.0.1'",
        ),
        (tls("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "TLS failed: tlsv13 alert certificate required"),
        (
            tls("WRONG_VERSION_NUMBER"),
            "TLS handshake failed: the backend does not speak TLS; its base-url should begin with http://",
        ),
        (OSError("the proxy did not answer CONNECT in HTTP"), "the proxy did not answer CONNECT in HTTP"),
        (OSError(), "OSError"),
    ],
)
def test_what_is_said_of_an_error(error: Exception, words: str) -> None:
    """Never the system's text for a number that is not the system's, and no addresses."""
    assert reason(error) == words
