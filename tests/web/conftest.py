"""A gateway in a process of its own, in front of a backend that each test tells what to do."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.backend import Backend, Behaviour, Received, answer, backend
from tests.process import Served, config, services, serving


@dataclass
class Front:
    """The gateway and the backend behind it."""

    gateway: Served
    backend: Backend

    @property
    def url(self) -> str:
        """Where SDKs are pointed."""
        return f"{self.gateway.url}/v1"

    @property
    def last(self) -> Received:
        """The last request that reached the backend."""
        return self.backend.requests[-1]

    def behaves(self, behave: Behaviour) -> None:
        """Tell the backend what to do."""
        self.backend.behave = behave


@pytest.fixture(scope="session", params=["rsgi", "asgi"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """One gateway for all tests of this folder, through each of its doors."""
    kinds = ("chat", "embedding", "rerank", "tts", "stt", "imgGen", "imgEdit")
    with backend(answer({})) as behind:
        text = services(**{kind: [behind.url] for kind in kinds})
        text = text.replace("  locale: en\n", "  locale: zh\n  trusted-proxies: [127.0.0.1]\n")
        file = config(tmp_path_factory.mktemp("web"), text)
        with serving("--config", str(file), "--interface", request.param) as gateway:
            yield Front(gateway, behind)


@pytest.fixture
def front(running: Front) -> Front:
    """Give the gateway a backend that answers `{}`."""
    running.behaves(answer({}))
    running.backend.requests.clear()
    return running
