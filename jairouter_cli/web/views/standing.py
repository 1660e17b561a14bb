"""The state of an instance, which the Java version shows next to its configuration: never written into a file."""

from datetime import UTC, datetime
from typing import Any, Final

from jairouter_cli.config.model import Instance, ServiceType
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.routing.health import HealthState

_WORDS: Final = {HealthState.UP: "HEALTHY", HealthState.DOWN: "UNHEALTHY"}
_MS: Final = 1000


def standing(gateway: Gateway, kind: ServiceType, instance: Instance) -> dict[str, Any]:
    """Return its health and what was counted since the start, for all workers; times are UTC, durations milliseconds.

    Of several with one id it is the first; nothing for one that was just added and is not in force yet.
    """
    target = next((one for one in gateway.table.targets if one.key[0] is kind and one.id == instance.id), None)
    if target is None:
        return {}
    live = gateway.ledger.live(target)
    state, asked_at = live.state(target), live.health.at
    word = _WORDS.get(state, state.value)
    shown = {
        "status": word,
        "healthStatus": word.lower(),
        "requestCount": live.requests,
        "errorCount": live.failures,
        "avgResponseTime": round(_MS * live.answers_s / live.requests, 1) if live.requests else 0,
    }
    if asked_at:
        at = datetime.fromtimestamp(gateway.wall_clock() + asked_at - gateway.clock(), UTC)
        shown["lastHealthCheck"] = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return shown
