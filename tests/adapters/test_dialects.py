"""What dialects do differently."""

import pytest

from jairouter_cli.adapters.dialects import MANNERS
from jairouter_cli.config.model import Dialect


def test_every_dialect_of_the_configuration_has_a_row() -> None:
    """Each value that `adapter` may have is served."""
    assert set(MANNERS) == set(Dialect)


@pytest.mark.parametrize(
    ("dialect", "given", "sent"),
    [
        (Dialect.NORMAL, "key", "key"),
        (Dialect.VLLM, "key", "Bearer key"),
        (Dialect.OLLAMA, "Bearer key", "Bearer key"),
        (Dialect.GPUSTACK, "Basic abc", "Basic abc"),
    ],
)
def test_authorization(dialect: Dialect, given: str, sent: str) -> None:
    """`Bearer` is added where a dialect wants it and it is missing."""
    assert MANNERS[dialect].authorization(given) == sent
