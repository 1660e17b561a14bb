"""`/api/monitoring/metrics`: registering metrics of the operator's own, and switching any of them.

The operator's own stand in the configuration (`monitoring.metrics.custom`), so that all workers know them, and a
restart, too. The gateway's own can be switched off and on, and neither be deleted nor overwritten.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from litestar import Response, delete, post, put
from litestar.params import QueryParameter

from jairouter_cli.config.change import Change
from jairouter_cli.config.document import Document
from jairouter_cli.config.kinds import Moment
from jairouter_cli.config.monitoring import CustomMetric
from jairouter_cli.config.ops import metrics as ops
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.telemetry.metric_catalogue import Catalogue, CatalogueEntry, moment
from jairouter_cli.web.errors import AnyRequest
from jairouter_cli.web.manage.editor import Editor
from jairouter_cli.web.manage.envelope import Refused
from jairouter_cli.web.manage.metric_request import ONLY_WHOLE, Verdict, Wanted, judged
from jairouter_cli.web.manage.metrics import BASE, ONE, NamedMetric, failure
from jairouter_cli.web.manage.sentences import json_of
from jairouter_cli.web.openapi import samples
from jairouter_cli.web.openapi.shown import of_metrics
from jairouter_cli.web.views.node import Node

_EXPIRY_S: Final = 24 * 3600.0
_FAILED: Final = "更新失败"

Enabled = Annotated[bool, QueryParameter(name="enabled", description="Whether it is shown.")]
SamplingRate = Annotated[float, QueryParameter(name="samplingRate", description="1.0: nothing is sampled here.")]


def metric_registry_routes(editor: Editor, gateway: Gateway, catalogue: Catalogue) -> list[Any]:
    """Return the routes."""
    registry = _Registry(editor, gateway, catalogue)
    return [*_registrations(registry), *_changes(registry)]


def _registrations(registry: "_Registry") -> list[Any]:
    catalogue = registry.catalogue

    @post(
        f"{BASE}/register",
        summary="Register a metric",
        status_code=200,
        operation_class=of_metrics(samples.METRIC_REGISTERED, body=samples.METRIC_NEW),
    )
    async def register(request: AnyRequest) -> Response[Node]:
        """A COUNTER or a TIMER. What is registered again keeps what it counted, and has the new description."""
        body = await json_of(request)
        verdict = registry.judge(body, catalogue.settings.custom)
        result = _registered(body, verdict)
        if verdict.wanted is not None:
            try:
                await registry.register(request, [verdict.wanted])
            except Refused as refusal:
                return _refusal(refusal, metricName=verdict.wanted.metric.name)
        return Response(result, status_code=200 if result["success"] else 400)

    @post(
        f"{BASE}/register/batch",
        summary="Register several metrics",
        status_code=200,
        operation_class=of_metrics(
            {**samples.METRIC_BATCH, "results": [samples.METRIC_REGISTERED], "allSuccess": True},
            body=[samples.METRIC_NEW],
        ),
    )
    async def register_all(request: AnyRequest) -> Response[Node]:
        """Those that are right, in one edit; what is wrong with the others is said."""
        bodies = await json_of(request)
        if not isinstance(bodies, list):
            return failure(400, "Expected a JSON array of metrics")
        known, wanted, results = list(catalogue.settings.custom), list[Wanted](), list[Node]()
        for body in bodies:
            verdict = registry.judge(body, known)
            results.append(_registered(body, verdict))
            if verdict.wanted is not None:
                known = [*(one for one in known if one.name != verdict.wanted.metric.name), verdict.wanted.metric]
                wanted.append(verdict.wanted)
        try:
            await registry.register(request, wanted)
        except Refused as refusal:
            return _refusal(refusal)
        return Response(_batch(len(bodies), sum(one["success"] for one in results), results=results))

    @post(
        f"{BASE}/validate",
        summary="Validate a metric before registration",
        status_code=200,
        operation_class=of_metrics({"valid": True, "errors": [], "warnings": []}, body=samples.METRIC_NEW),
    )
    async def validate(request: AnyRequest) -> Node:
        """Nothing is registered."""
        verdict = registry.judge(await json_of(request), catalogue.settings.custom)
        return {"valid": not verdict.errors, "errors": verdict.errors, "warnings": verdict.warnings}

    return [register, register_all, validate]


def _changes(registry: "_Registry") -> list[Any]:
    catalogue = registry.catalogue

    @delete(
        ONE,
        summary="Delete a metric",
        status_code=200,
        operation_class=of_metrics(
            {"success": True, "metricName": "orders.created", "message": "Metric unregistered successfully"}
        ),
    )
    async def unregister(request: AnyRequest, metric_name: NamedMetric) -> Response[Node]:
        """Of the operator's own, and if it has all the tags that the query names; its series are gone."""
        tags, metric = dict(request.query_params.items()), catalogue.custom(metric_name)
        if metric is None and catalogue.own(metric_name) is not None:
            return failure(400, _OURS.format(metric_name), metricName=metric_name)
        if metric is None or not tags.items() <= metric.tags.items():
            return failure(200, "Failed to unregister metric", metricName=metric_name)
        return await registry.answered(
            request,
            lambda document: ops.unregister(document, [metric_name]),
            {"success": True, "metricName": metric_name, "message": "Metric unregistered successfully"},
        )

    @delete(
        f"{BASE}/batch",
        summary="Delete several metrics",
        status_code=200,
        operation_class=of_metrics(
            {**samples.METRIC_BATCH, "failedMetrics": [], "allSuccess": True}, body=["orders.created"]
        ),
    )
    async def unregister_all(request: AnyRequest) -> Response[Node]:
        """`failedMetrics` are those that there are not, and the gateway's own."""
        names = await json_of(request)
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            return failure(400, "Expected a JSON array of names")
        found = [name for name in dict.fromkeys(names) if catalogue.custom(name) is not None]
        failed = [name for name in names if name not in found]
        return await registry.answered(
            request,
            (lambda document: ops.unregister(document, found)) if found else None,
            _batch(len(names), len(names) - len(failed), failedMetrics=failed),
        )

    @put(
        f"{BASE}/metadata/{{metric_name:str}}",
        summary="Update the description of a metric",
        operation_class=of_metrics(
            {"success": True, "metricName": "orders.created", "message": "Metadata updated successfully"},
            body={"description": "Orders that came in", "tags": {"shop": "south"}},
        ),
    )
    async def update(request: AnyRequest, metric_name: NamedMetric) -> Response[Node]:
        """Description, unit, tags, category, enabled; what the body does not name stays. Of the operator's own."""
        metric = catalogue.custom(metric_name)
        if metric is None and catalogue.own(metric_name) is not None:
            return failure(400, _OURS.format(metric_name), metricName=metric_name)
        if metric is None:
            return failure(404, "Failed to update metadata", metricName=metric_name)
        verdict = registry.judge(_completed(metric, await json_of(request), catalogue), catalogue.settings.custom)
        if verdict.wanted is None or verdict.wanted.metric.name != metric_name:
            said_wrong = verdict.errors or ["A metric's name cannot be changed"]
            return failure(400, "Validation failed: " + ", ".join(said_wrong), metricName=metric_name)
        try:
            await registry.register(request, [verdict.wanted])
        except Refused as refusal:
            return _refusal(refusal, metricName=metric_name)
        return Response({"success": True, "metricName": metric_name, "message": "Metadata updated successfully"})

    @put(
        f"{ONE}/configuration",
        summary="Enable or disable a metric",
        operation_class=of_metrics(
            {
                "success": True,
                "metricName": "orders.created",
                "enabled": False,
                "samplingRate": 1.0,
                "message": "Configuration updated successfully",
            }
        ),
    )
    async def configure(
        request: AnyRequest, metric_name: NamedMetric, enabled: Enabled, sampling_rate: SamplingRate = 1.0
    ) -> Response[Node]:
        """What is switched off is counted, but shown nowhere. Also of the gateway's own."""
        shape = {"metricName": metric_name, "enabled": enabled, "samplingRate": sampling_rate}
        entry = await asyncio.to_thread(catalogue.entry, metric_name)
        if sampling_rate != 1.0:
            return failure(400, ONLY_WHOLE, **shape)
        if entry is None:
            return failure(404, "Failed to update configuration", **shape)
        is_same = enabled == (entry.key not in catalogue.settings.disabled)
        return await registry.answered(
            request,
            None if is_same else lambda document: ops.switch(document, [entry.key], is_shown=enabled),
            {"success": True, **shape, "message": "Configuration updated successfully"},
        )

    @post(
        f"{BASE}/cleanup",
        summary="Delete unused metrics",
        status_code=200,
        operation_class=of_metrics({"cleanedMetrics": 0, "totalMetrics": 60, "cleanedMetricNames": []}),
    )
    async def cleanup(request: AnyRequest) -> Response[Node]:
        """Of the operator's own, those that were neither changed nor fed for 24 hours."""
        entries = await asyncio.to_thread(catalogue.entries)
        expired = [entry.name for entry in entries if registry.is_expired(entry)]
        return await registry.answered(
            request,
            (lambda document: ops.unregister(document, expired)) if expired else None,
            {"cleanedMetrics": len(expired), "totalMetrics": len(entries), "cleanedMetricNames": expired},
        )

    return [unregister, unregister_all, update, configure, cleanup]


class _Registry:
    """The custom metrics of a gateway, as the API edits them."""

    def __init__(self, editor: Editor, gateway: Gateway, catalogue: Catalogue) -> None:
        self._editor: Final = editor
        self._clock: Final = gateway.wall_clock
        self.catalogue: Final = catalogue

    def judge(self, body: Any, known: Sequence[CustomMetric]) -> Verdict:
        """Judge a request to register."""
        return judged(body, known, self.catalogue.settings.prefix)

    async def register(self, request: AnyRequest, wanted: Sequence[Wanted]) -> None:
        """Put metrics into the configuration, those that are not there as they are to be. Raises `Refused`."""
        known = {metric.name: metric for metric in self.catalogue.settings.custom}
        news = [one for one in wanted if not self._is_there(one, known.get(one.metric.name))]
        if not news:
            return
        now = Moment(moment(self._clock()))
        metrics = [msgspec.structs.replace(one.metric, created_at=now, updated_at=now) for one in news]

        def operation(document: Document) -> Change:
            change = ops.register(document, metrics)
            for is_shown in (True, False):
                names = [one.metric.name for one in news if one.is_shown is is_shown]
                change = Change(ops.switch(change.document, names, is_shown=is_shown).document, change.summary)
            return change

        await self._editor.edit(request, operation, _FAILED)

    def _is_there(self, wanted: Wanted, present: CustomMetric | None) -> bool:
        """Whether a metric is there as it is to be."""
        is_shown = wanted.metric.name not in self.catalogue.settings.disabled
        return present is not None and is_shown is wanted.is_shown and _untimed(present) == wanted.metric

    async def answered(
        self, request: AnyRequest, operation: Callable[[Document], Change] | None, answer: Node
    ) -> Response[Node]:
        """Make an edit, if there is one, and answer."""
        if operation is not None:
            try:
                await self._editor.edit(request, operation, _FAILED)
            except Refused as refusal:
                return _refusal(refusal)
        return Response(answer)

    def is_expired(self, entry: CatalogueEntry) -> bool:
        """Whether a metric was neither changed nor fed for long; one that was written by hand never is."""
        if entry.custom is None or entry.custom.created_at is None or entry.updated_at is None:
            return False
        return datetime.fromisoformat(entry.updated_at).timestamp() < self._clock() - _EXPIRY_S


_OURS: Final = "Metric '{}' is one of the gateway's own: it can be switched off, but neither deleted nor overwritten"


def _untimed(metric: CustomMetric) -> CustomMetric:
    return msgspec.structs.replace(metric, created_at=None, updated_at=None)


def _completed(metric: CustomMetric, body: Any, catalogue: Catalogue) -> Any:
    """Return a request with what it does not name as it is."""
    if not isinstance(body, dict):
        return body
    present = {
        "name": metric.name,
        "type": metric.type.value,
        "description": metric.description,
        "unit": metric.unit,
        "tags": body.get("baseTags", metric.tags),
        "category": metric.category,
        "enabled": metric.name not in catalogue.settings.disabled,
    }
    return present | {key: value for key, value in body.items() if value is not None}


def _registered(body: Any, verdict: Verdict) -> Node:
    """Return what came of a request to register, in the Java version's shape."""
    name = body.get("name") if isinstance(body, dict) else None
    if verdict.wanted is not None:
        return {"success": True, "message": "Metric registered successfully", "metricName": name, "error": None}
    is_unsupported = len(verdict.errors) == 1 and verdict.errors[0].startswith("Unsupported")
    message = ", ".join(verdict.errors)
    return {
        "success": False,
        "message": message if is_unsupported else f"Validation failed: {message}",
        "metricName": name if isinstance(name, str) else None,
        "error": verdict.errors[0],
    }


def _batch(total: int, succeeded: int, **more: Any) -> Node:
    return {
        "totalRequests": total,
        "successCount": succeeded,
        "failureCount": total - succeeded,
        **more,
        "allSuccess": succeeded == total,
    }


def _refusal(refusal: Refused, **more: Any) -> Response[Node]:
    return failure(refusal.status, refusal.message, **more)
