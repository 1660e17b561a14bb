"""The tree of errors keeps its own rules."""

from collections.abc import Iterator
from string import Formatter

import httpx
import pytest

from jairouter_cli import errors, request_errors
from jairouter_cli.config.model import Locale
from tests.gateway.httpx_upstream import FAILURES


def classes(root: type[errors.JAIRouterError] = errors.JAIRouterError) -> Iterator[type[errors.JAIRouterError]]:
    """Yield every class of the tree."""
    yield root
    for child in root.__subclasses__():
        yield from classes(child)


@pytest.mark.parametrize("error", [*classes(request_errors.RequestError)], ids=lambda error: error.__name__)
def test_what_clients_read_is_in_every_language(error: type[request_errors.RequestError]) -> None:
    """With the same placeholders in each."""
    placeholders = [{name for _, name, _, _ in Formatter().parse(error.texts[locale]) if name} for locale in Locale]
    assert all(found == placeholders[0] for found in placeholders)


def test_the_tree_is_drawn_as_it_is() -> None:
    """The docstrings of the two modules name every class."""
    drawn = f"{errors.__doc__}{request_errors.__doc__}"
    missing = [error.__name__ for error in classes() if error.__name__ not in drawn]
    assert missing == []


def test_exit_codes() -> None:
    """0 is success; 1 could not, 2 misused, 3 unreachable."""
    assert {error.exit_code for error in classes()} == {1, 2, 3}


def test_every_error_of_httpx_is_known() -> None:
    """A new class of httpx fails here instead of becoming a bug there."""
    known = tuple(foreign for foreign, _ in FAILURES)
    leaves = [
        error for error in vars(httpx).values() if isinstance(error, type) and issubclass(error, httpx.TransportError)
    ]
    leaves = [
        error for error in leaves if error not in {httpx.TransportError, httpx.TimeoutException, httpx.NetworkError}
    ]
    assert [error for error in leaves if not issubclass(error, known)] == []
