"""A line in the log for every call that did not go well, and for every instance that goes or comes back."""

import logging
from typing import Final

from jairouter_cli.observe.events import Completed
from jairouter_cli.routing.call import Target, Turn

logger: Final = logging.getLogger("jairouter")

_SERVER_ERROR = 500


def log_trouble(event: Completed) -> None:
    """Log a call that failed, was cut off, left by its client, or took more than one attempt; say where and why."""
    if event.ended == "ok" and len(event.attempts) == 1 and not event.fallback and event.status < _SERVER_ERROR:
        return
    told = [f"{a.instance}: {a.failure or a.status}" for a in event.attempts]
    told += [f"{instance} not tried: {why}" for instance, why in event.passed_over]
    if event.queued_s:
        told.append(f"waited {event.queued_s:.3f} s for a slot")
    if event.fallback:
        told.append(f"fallback: {event.fallback}")
    tries = "; ".join(told)
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
    elif len(event.attempts) > 1 or event.fallback:
        logger.warning(line, *values)
    elif event.ended == "left":
        logger.info(line, *values)


def log_instance(target: Target, _: Turn, what: str) -> None:
    """Log what became of an instance."""
    logger.warning("instance %s of %s %s", target.id, target.key[0], what)
