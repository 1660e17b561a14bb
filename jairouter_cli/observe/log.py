"""Logs every call that failed at an instance, and every instance that goes down or comes back.

Rejected calls, and calls whose client left, are in the access log only.
"""

import logging
from typing import Final

from jairouter_cli.observe.events import Completed
from jairouter_cli.observe.lines import shown
from jairouter_cli.routing.call import Target, Turn

logger: Final = logging.getLogger("jairouter")

_SERVER_ERROR: Final = 500


def log_trouble(event: Completed) -> None:
    """Log a call that failed, was cut off, or took more than one attempt; say where and why. At DEBUG, every call."""
    level = _level(event)
    if not logger.isEnabledFor(level):
        return
    told = [f"{a.instance}: {a.failure or a.status}" for a in event.attempts]
    told += [f"{instance} not tried: {why}" for instance, why in event.passed_over]
    if event.queued_s:
        told.append(f"waited {event.queued_s:.3f} s for a slot")
    if event.fallback:
        told.append(f"fallback: {event.fallback}")
    logger.log(
        level,
        "%s %s %s, %s after %.3f s, request %s (%s)",
        event.call.service,
        shown(event.call.model or "-"),
        event.status,
        event.ended,
        event.duration_s,
        event.request_id,
        "; ".join(told),
    )


def _level(event: Completed) -> int:
    if event.ended == "truncated" or event.status >= _SERVER_ERROR:
        return logging.ERROR
    return logging.WARNING if len(event.attempts) > 1 or event.fallback else logging.DEBUG


def log_instance(target: Target, _: Turn, what: str) -> None:
    """Log what became of an instance."""
    logger.warning("instance %s of %s %s", target.id, target.key[0], what)
