"""One well-behaved mock model server for all tests of this folder, and the SDK that is pointed at it."""

from collections.abc import Iterator

import pytest
from openai import OpenAI

from tests.mock.running import Mock, running


@pytest.fixture(scope="session")
def mock() -> Iterator[Mock]:
    """Run a server that behaves."""
    with running("--name", "box one") as started:
        yield started


@pytest.fixture(scope="session")
def client(mock: Mock) -> Iterator[OpenAI]:
    """Return the SDK."""
    with OpenAI(base_url=f"{mock.url}/v1", api_key="none", max_retries=0) as made:
        yield made
