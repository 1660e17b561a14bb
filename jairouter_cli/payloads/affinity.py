"""What requests have in common that should go to the same instance: a session, a user, the beginning of a prompt.

A backend that has worked on the beginning of a prompt before need not work on it again (its prefix cache).
"""

import hashlib
from collections.abc import Iterator
from itertools import islice
from typing import Final

import msgspec

from jairouter_cli.payloads.members import elements
from jairouter_cli.payloads.reading import read
from jairouter_cli.payloads.shapes import AffinityMembers, MessageRole

SESSION_HEADER: Final = "x-session-id"

_PROMPT_BYTES: Final = 2048  # of a prompt that is one text: about as much as a system message has
_MOST_MESSAGES: Final = 100  # of a beginning: each is a step, and there may be millions
_BILLING: Final = b"x-anthropic-billing-header:"
_SYSTEM_ROLES: Final = frozenset({"system", "developer"})


_fields: Final = msgspec.json.Decoder(AffinityMembers)
_message: Final = msgspec.json.Decoder(MessageRole)


def affinity(session: str, body: bytes | bytearray, *, by_prefix: bool) -> str:
    """Return the key of a request: the `session` of its header, its user's, or (`by_prefix`) that of its beginning.

    The beginning of a prompt is all system messages and the first that is none. Empty if there is nothing of the kind.
    """
    if session:
        return session
    found = read(_fields, body)
    if found is None:  # no JSON, or of another form: a backend will judge it
        return ""
    for named in (found.prompt_cache_key, found.user):
        if bytes(named) not in {b"", b"null", b'""'}:
            return bytes(named).decode("utf-8", "replace")
    return _digest(found) if by_prefix else ""


def _digest(found: AffinityMembers) -> str:
    beginning = b"\0".join(_beginning(found))
    return hashlib.blake2b(beginning, digest_size=16).hexdigest() if beginning.strip(b"\0") else ""


def _beginning(found: AffinityMembers) -> Iterator[bytes]:
    yield from (_steady(bytes(found.system)), bytes(found.instructions))
    for message in islice(elements(found.messages), _MOST_MESSAGES):
        yield bytes(message)
        if _role(message) not in _SYSTEM_ROLES:
            return
    yield from (bytes(found.prompt)[:_PROMPT_BYTES], bytes(found.input)[:_PROMPT_BYTES])


def _steady(system: bytes) -> bytes:
    """Return a system prompt without the block in front that Claude Code changes with every request."""
    if _BILLING not in system or not system.lstrip().startswith(b"["):
        return system
    return b"\0".join(block for one in elements(system) if _BILLING not in (block := bytes(one)))


def _role(message: msgspec.Raw) -> str:
    said = read(_message, memoryview(message))
    return "" if said is None else said.role
