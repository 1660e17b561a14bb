"""What is wrong with a section as a whole, where each of its values may be right. Pure."""

from collections.abc import Iterator
from typing import Any, Final

from jairouter_cli.config.addresses import proxy_fault
from jairouter_cli.config.document import Path
from jairouter_cli.config.model import Fallback, FallbackStrategy, Instance, State, WebClient
from jairouter_cli.config.monitoring import LABEL_NAME, CustomMetric, Metrics

FRAMING_HEADERS: Final = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that frame a message, or belong to one connection: only the client that sends it can set them."""

_STATE_SCHEMES: Final = ("redis://", "rediss://", "unix://")


def faults(section: Any) -> Iterator[tuple[Path, str]]:
    """Yield where in a section something is wrong, and what was expected there."""
    if isinstance(section, Fallback) and section.strategy is FallbackStrategy.MODEL and section.model is None:
        yield (), "the key model, with the model to fall back to"
    if isinstance(section, Instance) and section.rate_limit and section.rate_limit.client_ip.max_concurrency:
        yield (), "rate-limit.client-ip.max-concurrency in the service or in model, not in an instance"
    if isinstance(section, Instance | WebClient) and section.proxy is not None:
        yield from _of_proxy(section.proxy.value)
    if isinstance(section, State) and section.url is not None and not section.url.value.startswith(_STATE_SCHEMES):
        yield (), "a URL that begins with redis://, rediss:// or unix://"
    if isinstance(section, CustomMetric):
        for name in (name for name in section.tags if not LABEL_NAME.fullmatch(name)):
            yield ("tags", name), "a label name: letters, digits and _, but not le or quantile"
    if isinstance(section, Metrics):
        yield from _of_names([metric.shown_name for metric in section.custom])


def _of_proxy(url: str) -> Iterator[tuple[Path, str]]:
    """Judge the URL of a proxy; one with a placeholder is judged when that has its value."""
    if url and url != "none" and "${" not in url and (wrong := proxy_fault(url)):
        yield ("proxy",), wrong


def _of_names(names: list[str]) -> Iterator[tuple[Path, str]]:
    for twice in sorted({name for name in names if names.count(name) > 1}):
        yield ("custom",), f"each metric once; {names.count(twice)} of them have the name {twice}"
