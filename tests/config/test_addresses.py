"""Addresses as people write them: each slip is refused with what was meant."""

import pytest

from jairouter_cli.config.addresses import backend_of, fault_of_url, without_endpoint

VALID = "an http:// or https:// URL with a valid host and port (1 to 65535)"
NO_QUERY = "a URL without query and fragment (put the path of the endpoint in path)"
NO_USER = "a URL without user and password (use api-key or headers)"
NO_SPACES = "an http:// or https:// URL with a host and without spaces, like http://10.0.0.7:8000"
SCHEME = "an http:// or https:// URL"
EXAMPLE = f"{SCHEME} with a host, like http://10.0.0.7:8000"


def endpoint(base: str, path: str) -> str:
    """Return what is said of an address with an endpoint."""
    return f"a URL without the endpoint: base-url {base} (and path {path}, if it is not the usual one)"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("http://h:8000/v1/chat/completions", endpoint("http://h:8000", "/v1/chat/completions")),
        ("http://h:8000/v1/chat/completions/", endpoint("http://h:8000", "/v1/chat/completions")),
        ("https://h/openai/v1/embeddings", endpoint("https://h/openai", "/v1/embeddings")),
        ("http://h/v1-openai/chat/completions", endpoint("http://h", "/v1-openai/chat/completions")),
        ("http://h/chat/completions", endpoint("http://h", "/chat/completions")),
        ("http://h/v1/rerank", endpoint("http://h", "/v1/rerank")),
        ("http://h/v1/audio/speech", endpoint("http://h", "/v1/audio/speech")),
        ("http://h/v1/models", endpoint("http://h", "/v1/models")),
        ("http://h:11434/api/chat", endpoint("http://h:11434", "/api/chat")),
        ("localhost:11434", f"{SCHEME}; did you mean http://localhost:11434?"),
        ("10.0.0.7:8000/v1", f"{SCHEME}; did you mean http://10.0.0.7:8000/v1?"),
        ("api.openai.com", f"{SCHEME}; did you mean http://api.openai.com?"),
        ("https//h:1", f"{SCHEME}; did you mean https://h:1?"),
        ("http:/h:1", f"{SCHEME}; did you mean http://h:1?"),
        ("http:h", f"{SCHEME}; did you mean http://h?"),
        ("http:\\\\h", f"{SCHEME}; did you mean http://h?"),
        ("ftp://h", EXAMPLE),
        ("nonsense", EXAMPLE),
        ("", EXAMPLE),
        ("user:secret@h", EXAMPLE),
        ("http://", NO_SPACES),
        ("http://a b", NO_SPACES),
        ("http://h/a b", NO_SPACES),
        ("http://<host>:8000", NO_SPACES),
        ("http://h:0", VALID),
        ("http://h:99999", VALID),
        ("http://h:", VALID),
        ("http://h:port", VALID),
        ("http://[::1", VALID),
        ("http://u:p@h", NO_USER),
        ("http://h?key=1", NO_QUERY),
        ("http://h#a", NO_QUERY),
        ("http://h?", NO_QUERY),
        ("http://0.0.0.0:8000", "the address of a backend, not an address to listen on; did you mean http://127.0.0.1:8000?"),
        ("https://[::]", "the address of a backend, not an address to listen on; did you mean https://[::1]?"),
    ],
)  # fmt: skip
def test_what_is_wrong(text: str, fault: str) -> None:
    """The phrase says what to write in its place, and never shows a password."""
    assert fault_of_url(text) == fault


@pytest.mark.parametrize(
    "text",
    [
        "http://h",
        "HTTP://H:80/",
        "https://h/v1",
        "https://api.groq.com/openai/v1",
        "http://[::1]:8000",
        "https://api-inference.huggingface.co/models",
        "http://h/embeddings-gateway",
        "http://127.0.0.1:4318/v1/traces",
        "https://dashscope.aliyuncs.com/compatible-mode/v1",
    ],
)
def test_what_is_right(text: str) -> None:
    """Paths in front of an endpoint belong to an address."""
    assert (fault_of_url(text), without_endpoint(text)) == ("", (text, None))


@pytest.mark.parametrize(
    ("address", "backend"),
    [
        ("http://h", "http://h"),
        ("HTTP://H:80/", "http://h"),
        ("https://h:443/v1/", "https://h"),
        ("http://h:8000/v1", "http://h:8000"),
        ("http://h/api/v1", "http://h/api"),
        ("http://[::1]:8000/v1", "http://[::1]:8000"),
        ("http://h:99999", "http://h:99999"),
    ],
)
def test_one_backend(address: str, backend: str) -> None:
    """Addresses of one backend are equal, however they are written."""
    assert backend_of(address) == backend
