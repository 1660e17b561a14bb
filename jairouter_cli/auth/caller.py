"""Who calls, as a value: found out once, from a request's peer and headers, before its body is looked at.

Nobody else reads the headers that carry keys, or those in which proxies name a client.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from jairouter_cli.auth.client_ip import client_ip
from jairouter_cli.auth.credentials import CREDENTIALS, without
from jairouter_cli.config.kinds import Network
from jairouter_cli.payloads.headers import Headers, RequestHeaders


class Caller(NamedTuple):
    """Who asks. `address` is the client's, see `client_ip`.

    `credential` is the key that the client sent, empty for none: nobody may keep more of it than a fingerprint.
    `has_credential` is whether it sent one in any of the headers that carry keys.
    """

    address: str
    credential: str = ""
    has_credential: bool = False


class Callers:
    """Finds out who calls, as one configuration has it. `token` is the admin token, None where there is none."""

    __slots__ = ("_trusted", "token")

    def __init__(self, trusted: Sequence[Network] = (), token: str | None = None) -> None:
        self._trusted: Final = tuple(trusted)
        self.token: Final = token

    def address(self, peer: str, headers: Headers) -> str:
        """Return the client's address."""
        return client_ip(peer, headers, self._trusted)

    def cleared(self, headers: RequestHeaders) -> RequestHeaders:
        """Return the headers of a request without those that tell the admin token, which is the gateway's alone."""
        if self.token is None:
            return headers
        kept = without(headers.lines, self.token)
        return headers if len(kept) == len(headers.lines) else RequestHeaders(kept)

    def resolve(self, peer: str, headers: RequestHeaders) -> Caller:
        """Return who sends a request whose headers are `cleared`."""
        credential = headers.get("authorization") or headers.get("x-api-key", "")
        has_credential = bool(credential) or not CREDENTIALS.isdisjoint(headers)
        return Caller(client_ip(peer, headers.lines, self._trusted), credential, has_credential)
