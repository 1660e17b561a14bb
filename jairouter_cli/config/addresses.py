"""Addresses of backends as people write them: what is wrong with one, and what was meant."""

import re
from typing import Final
from urllib.parse import urlsplit

_ENDPOINT: Final = re.compile(
    r"(?P<base>.*?://[^/]+.*?)(?P<path>"
    r"(?:/v\d+[a-z]*(?:-[a-z]+)?)?/(?:chat/completions|embeddings|audio/(?:speech|transcriptions|translations)"
    r"|images/(?:generations|edits|variations))"
    r"|/v\d+[a-z]*(?:-[a-z]+)?/(?:completions|responses|messages|rerank|score|moderations|models)"
    r"|/api/(?:chat|generate|embed|embeddings|tags|show))/*",
    re.IGNORECASE,
)
_ALMOST: Final = re.compile(r"(https?)(?::/*|/+|(?=\\)):?[/\\]*(?=[^/\\\s:])", re.IGNORECASE)
_HOST: Final = re.compile(r"(?:\[[0-9a-fA-F:.]+\]|[\w.-]+)(?::\d+)?(?:/.*)?")
_NOT_IN_URLS: Final = re.compile(r"[\s\x00-\x20\x7f<>\"\\^`{|}]")
_HERE: Final = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}


def without_endpoint(text: str) -> tuple[str, str | None]:
    """Return an address without the path of an endpoint at its end, and that path; None if it has none."""
    match = _ENDPOINT.fullmatch(text.strip())
    return (match["base"], match["path"]) if match else (text, None)


def fault_of_url(text: str) -> str:
    """Return a phrase for what is to stand in the place of an address that is no base URL; nothing if it is one."""
    if not re.match(r"https?://", text, re.IGNORECASE):
        return f"an http:// or https:// URL{_meant(text)}"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "an http:// or https:// URL with a valid host and port (1 to 65535)"
    if parts.username is not None or parts.password is not None:
        return "a URL without user and password (use api-key or headers)"
    if not host or _NOT_IN_URLS.search(text):
        return "an http:// or https:// URL with a host and without spaces, like http://10.0.0.7:8000"
    if port == 0 or parts.netloc.endswith(":"):
        return "an http:// or https:// URL with a valid host and port (1 to 65535)"
    return _fault_of_place(text, host)


def _fault_of_place(text: str, host: str) -> str:
    parts = urlsplit(text)
    if parts.query or parts.fragment or text.endswith(("?", "#")):
        return "a URL without query and fragment (the endpoint's path goes into path)"
    if host in _HERE:
        here = _HERE[host] + (f":{parts.port}" if parts.port else "")
        return f"the address of a backend, and {host} is where a server listens; did you mean {parts.scheme}://{here}?"
    base, path = without_endpoint(text)
    if path is None:
        return ""
    return f"a URL without the endpoint: base-url {base} (and path {path}, if it is not the usual one)"


def _meant(text: str) -> str:
    """Return what an address without a scheme, or with a slip in it, is likely to mean."""
    example = " with a host, like http://10.0.0.7:8000"
    if "@" in text or _NOT_IN_URLS.search(text.replace("\\", "/")):
        return example
    almost = _ALMOST.match(text)
    if almost and text[almost.end() :]:
        return f"; did you mean {almost[1].lower()}://{text[almost.end() :]}?"
    if "://" in text or not _HOST.fullmatch(text) or "." not in text.replace(":", "."):
        return example
    return f"; did you mean http://{text}?"
