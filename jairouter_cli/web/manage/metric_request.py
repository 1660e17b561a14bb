"""A request to register a metric: what it says, and all that is wrong with it."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from jairouter_cli.config.kinds import MetricName
from jairouter_cli.config.monitoring import LABEL_NAME, CustomKind, CustomMetric
from jairouter_cli.config.scalars import METRIC_NAME
from jairouter_cli.observe.custom import encoded, is_ours
from jairouter_cli.web.manage.sentences import texts_of

NAME_CHARACTERS: Final = 200
TAGS_BYTES: Final = 1000
RESERVED: Final = frozenset({"batch", "metadata", "exists", "category"})
"""Names that mean something else in a path."""
TYPES: Final = ("COUNTER", "GAUGE", "LONG_TASK_TIMER", "TIMER", "DISTRIBUTION_SUMMARY", "OTHER")
ONLY_WHOLE: Final = "Sampling rate must be 1.0: nothing is sampled here"
_TEXTS: Final = ("description", "unit", "category")


class Wanted(NamedTuple):
    """A metric that is to be, and whether it is to be shown."""

    metric: CustomMetric
    is_shown: bool


class Verdict(NamedTuple):
    """What is wrong with a request, and what is worth knowing; `wanted` if nothing is wrong."""

    errors: list[str]
    warnings: list[str]
    wanted: Wanted | None = None


def judged(body: Any, known: Sequence[CustomMetric], prefix: str) -> Verdict:
    """Judge a request beside the custom metrics that there are."""
    if not isinstance(body, dict):
        return Verdict(["Expected a JSON object"], [])
    members = {key: value for key, value in body.items() if value is not None}
    errors = [*_name_errors(members, known, prefix), *_member_errors(members)]
    if errors:
        return Verdict(errors, [])
    metric = CustomMetric(
        name=MetricName(members["name"]),
        type=CustomKind(members["type"].upper()),
        description=members.get("description", ""),
        unit=members.get("unit", ""),
        category=members.get("category", "custom"),
        tags=texts_of(members.get("tags", {})) or {},
    )
    before = next((one for one in known if one.name == metric.name), None)
    return Verdict([], list(_warnings(metric, before)), Wanted(metric, members.get("enabled", True)))


def tag_errors(tags: Any, base: Mapping[str, str] = MappingProxyType({})) -> Iterator[str]:
    """Yield what is wrong with tags that come to those of a metric."""
    texts = texts_of(tags)
    if texts is None:
        yield "Tags must be an object of names and texts"
        return
    for name in texts:
        if not name.strip():
            yield "Tag key cannot be null or empty"
        elif not LABEL_NAME.fullmatch(name):
            yield f"Tag key '{name}' must be letters, digits and _, not begin with a digit or __, nor be le or quantile"
    if len(encoded({**base, **texts}).encode()) > TAGS_BYTES:
        yield f"Tags must not be longer than {TAGS_BYTES} bytes together"


def _name_errors(members: Mapping[str, Any], known: Sequence[CustomMetric], prefix: str) -> Iterator[str]:
    name, kind = members.get("name"), members.get("type")
    if not isinstance(name, str) or not name.strip():
        yield "Metric name cannot be null or empty"
    elif not METRIC_NAME.fullmatch(name):
        yield f"Metric name must match pattern: ^{METRIC_NAME.pattern}$"
    elif len(name) > NAME_CHARACTERS:
        yield f"Metric name must not be longer than {NAME_CHARACTERS} characters"
    elif name in RESERVED:
        yield f"Metric name '{name}' is reserved: it has another meaning in the paths of this API"
    elif isinstance(kind, str) and kind.upper() in set(CustomKind):
        yield from _collisions(CustomMetric(name=MetricName(name), type=CustomKind(kind.upper())), known, prefix)


def _collisions(metric: CustomMetric, known: Sequence[CustomMetric], prefix: str) -> Iterator[str]:
    if is_ours(metric.shown_name, prefix):
        yield f"Metric '{metric.name}' is one of the gateway's own, and cannot be overwritten: choose another name"
    for other in known:
        if other.name == metric.name and other.type is not metric.type:
            yield f"Metric '{metric.name}' is a {other.type.value} already: delete it first"
        elif other.name != metric.name and other.shown_name == metric.shown_name:
            yield f"Metric '{metric.name}' would be shown under the same name as '{other.name}': choose another name"


def _member_errors(members: Mapping[str, Any]) -> Iterator[str]:
    kind, rate = members.get("type"), members.get("samplingRate", 1.0)
    if kind is None:
        yield "Metric type cannot be null"
    elif not isinstance(kind, str) or kind.upper() not in TYPES:
        yield f"Unknown metric type: {kind}; expected COUNTER or TIMER"
    elif kind.upper() not in set(CustomKind):
        yield f"Unsupported metric type for business metric: {kind.upper()}"
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:
        yield "Sampling rate must be between 0.0 and 1.0"
    elif rate != 1:
        yield ONLY_WHOLE
    if not isinstance(members.get("enabled", True), bool):
        yield "'enabled' must be true or false"
    for name in _TEXTS:
        if not isinstance(members.get(name, ""), str):
            yield f"'{name}' must be text"
    if members.get("category") == "":
        yield "'category' must not be empty"
    yield from tag_errors(members.get("tags", {}))


def _warnings(metric: CustomMetric, before: CustomMetric | None) -> Iterator[str]:
    if before is not None and before.tags == metric.tags:
        yield "Metric with same name and tags already exists"
    elif before is not None:
        yield "Metric with same name already exists: its tags would be replaced"
    if metric.type is CustomKind.TIMER and metric.unit not in {"", "seconds"}:
        yield "A timer is shown in seconds, whatever its unit says"
