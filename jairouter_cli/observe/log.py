"""A line in the log for every call that did not go well."""

import logging
from typing import Final

from jairouter_cli.observe.events import Completed

logger: Final = logging.getLogger("jairouter")

_SERVER_ERROR = 500


def log_trouble(event: Completed) -> None:
    """Log a call that failed, was cut off, left by its client, or took more than one attempt; say where and why."""
    if event.ended == "ok" and len(event.attempts) == 1 and event.status < _SERVER_ERROR:
        return
    tries = "; ".join(f"{a.instance}: {a.failure or a.status}" for a in event.attempts)
    line = "%s %s %s, %s after %.3f s, request %s (%s)"
    values = (
        event.call.service,
        event.call.model,
        event.status,
        event.ended,
        event.duration_s,
        event.request_id,
        tries,
    )
    if event.ended == "truncated" or event.status >= _SERVER_ERROR:
        logger.error(line, *values)
    elif len(event.attempts) > 1:
        logger.warning(line, *values)
    elif event.ended == "left":
        logger.info(line, *values)
