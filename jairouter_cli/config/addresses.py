"""Checks addresses of backends, and guesses what was meant by a wrong one."""

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
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)
_LONGEST_HOST: Final = 253
_LONGEST: Final = 2048  # letters of an address; more is none
_HERE: Final = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}


_PORTS: Final = {"http": 80, "https": 443}


def backend_of(base_url: str) -> str:
    """Return what addresses of one backend have in common, however they are written: `h`, `h:80/` and `h/v1`."""
    try:
        parts = urlsplit(base_url.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return base_url
    place = f"[{host}]" if ":" in host else host
    shown = "" if port in {None, _PORTS.get(parts.scheme)} else f":{port}"
    return f"{parts.scheme}://{place}{shown}{parts.path.rstrip('/').removesuffix('/v1').rstrip('/')}"


def without_endpoint(text: str) -> tuple[str, str | None]:
    """Return an address without the path of an endpoint at its end, and that path; None if it has none."""
    match = _ENDPOINT.fullmatch(text.strip())
    return (match["base"], match["path"]) if match else (text, None)


def fault_of_url(text: str) -> str:
    """Return a phrase for what is to stand in the place of an address that is no base URL; nothing if it is one."""
    if not re.match(r"https?://", text, re.IGNORECASE) or len(text) > _LONGEST:
        return f"an http:// or https:// URL{_meant(text[:_LONGEST])}"
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
    if not _can_be_host(host):
        return "a URL with a valid host name: parts of 1 to 63 letters, digits and -, separated by dots"
    if parts.query or parts.fragment or text.endswith(("?", "#")):
        return "a URL without query and fragment (put the path of the endpoint in path)"
    if host in _HERE:
        here = _HERE[host] + (f":{parts.port}" if parts.port else "")
        return f"the address of a backend, not an address to listen on; did you mean {parts.scheme}://{here}?"
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


def _can_be_host(host: str) -> bool:
    """Whether a name could be one of DNS or of a hosts file (RFC 1123, and `_`, as in Docker), or is an address."""
    if ":" in host:  # of IPv6, which `urlsplit` has looked at
        return True
    try:
        name = host.encode("idna").decode("ascii").removesuffix(".")
    except UnicodeError:
        return False
    return len(name) <= _LONGEST_HOST and all(_LABEL.fullmatch(label) for label in name.split("."))


def proxy_fault(text: str) -> str:
    """Return what a proxy's URL should have been, or nothing; never the URL, which may hold a password."""
    wanted = "the URL of a proxy, like http://10.0.0.1:3128, or none"
    try:
        parts = urlsplit(text)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return wanted
    if parts.scheme.startswith("socks"):
        return f"{wanted}; SOCKS proxies are not supported"
    if parts.scheme == "https":
        return f"{wanted}; https:// proxies are not supported"
    whole = parts.scheme == "http" and host and _can_be_host(host) and not _NOT_IN_URLS.search(text)
    return "" if whole and parts.path in {"", "/"} and not parts.query and not parts.fragment else wanted
