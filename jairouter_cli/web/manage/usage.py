"""`/api/token-usage`: what the calls have cost in tokens (the paths and members of version 1.9.5 of the Java version).

What this worker has not written yet is written before an answer; of the other workers the last `usage.flush-interval`
may be missing. The Java version's `record`, with which clients add calls of their own, is not offered.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from litestar import Request, Response, delete, get
from litestar.params import QueryParameter

from jairouter_cli.errors import UsageUnreadable
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.observe import usage_file
from jairouter_cli.observe.usage import UsageLedger
from jairouter_cli.observe.usage_file import Account, OneCall
from jairouter_cli.web.manage.envelope import Refused, envelope
from jairouter_cli.web.openapi import samples
from jairouter_cli.web.openapi.shown import enveloped
from jairouter_cli.web.views.node import Node

BASE: Final = "/api/token-usage"
_DONE: Final = "操作成功"
_DEFAULT_SPAN_S: Final = 7 * 86400
_MOST: Final = 1000  # of a list; the Java version stops at 100
_MS: Final = 1000
_CLIENT_ERROR: Final = 400

Start = Annotated[datetime | None, QueryParameter(name="startTime")]
End = Annotated[datetime | None, QueryParameter(name="endTime")]
RowLimit = Annotated[int, QueryParameter(ge=1)]


def usage_routes(gateway: Gateway, ledger: UsageLedger) -> list[Any]:
    """Return the routes."""
    of = _Views(gateway, ledger)

    @get(
        f"{BASE}/statistics",
        summary="获取 Token 使用量统计信息",
        operation_class=enveloped("操作成功", samples.STATISTICS),
    )
    async def statistics(start: Start = None, end: End = None) -> Response[Any]:
        """In whole hours of the gateway's time zone; the last seven days unless a time is named.

        `bySource` tells where the numbers come from: `measured` by the backend, `estimated` here, or `partial`.
        """
        span = _span(start, end)
        return envelope(_DONE, await of.now(lambda: of.statistics(span)))

    @get(f"{BASE}/recent", summary="获取最近的使用记录", operation_class=enveloped("操作成功", samples.CALLED))
    async def recent(limit: RowLimit = 20) -> Response[Any]:
        """The newest calls, the last one first; as many are kept as `usage.recent` says."""
        return envelope(_DONE, await of.now(lambda: of.recent(limit, None)))

    @get(
        f"{BASE}/recent/{{modelName:path}}",
        summary="获取指定模型的最近使用记录",
        operation_class=enveloped("操作成功", samples.CALLED),
    )
    async def recent_of_model(request: Request[Any, Any, Any], limit: RowLimit = 20) -> Response[Any]:
        """The newest calls to one model, whose name may hold slashes."""
        model = str(request.path_params["modelName"]).removeprefix("/")
        return envelope(_DONE, await of.now(lambda: of.recent(limit, model)))

    @get(f"{BASE}/top/models", summary="获取模型使用量排名", operation_class=enveloped("操作成功", samples.TOP))
    async def top_models(start: Start = None, end: End = None, limit: RowLimit = 10) -> Response[Any]:
        """The models with the most tokens."""
        span = _span(start, end)
        return envelope(_DONE, await of.now(lambda: of.top(span, "model", "modelName", limit)))

    @get(
        f"{BASE}/top/services",
        summary="获取服务类型使用量排名",
        operation_class=enveloped("操作成功", [{"rank": 1, "serviceType": "chat", **samples.SUMS}]),
    )
    async def top_services(start: Start = None, end: End = None, limit: RowLimit = 10) -> Response[Any]:
        """The services with the most tokens."""
        span = _span(start, end)
        return envelope(_DONE, await of.now(lambda: of.top(span, "service", "serviceType", limit)))

    @get(
        f"{BASE}/dashboard",
        summary="获取仪表盘数据",
        operation_class=enveloped(
            "操作成功",
            {
                "statistics": samples.STATISTICS,
                "topModels": samples.TOP,
                "recentUsage": samples.CALLED,
                "timeRange": samples.TIMES,
            },
        ),
    )
    async def dashboard(start: Start = None, end: End = None) -> Response[Any]:
        """Statistics, rankings and the newest calls in one."""
        span = _span(start, end)
        return envelope(_DONE, await of.now(lambda: of.dashboard(span)))

    @delete(
        f"{BASE}/cleanup",
        summary="删除过期使用记录",
        status_code=200,
        operation_class=enveloped("成功删除 5 条 Token 使用记录", samples.FORGOT, edits=True),
    )
    async def cleanup(cutoff: Annotated[datetime, QueryParameter(name="cutoffTime")]) -> Response[Any]:
        """Forget what was before `cutoffTime`, in whole hours; the gateway itself does so after `usage.keep-days`."""
        before = _seconds(cutoff)
        count = await of.now(lambda: ledger.forget(before))
        data = {"deletedCount": count, "cutoffTime": cutoff.isoformat()}
        return envelope(f"成功删除 {count} 条 Token 使用记录", data)

    return [statistics, recent, recent_of_model, top_models, top_services, dashboard, cleanup]


@dataclass(frozen=True, slots=True)
class _Span:
    """From when to when, in seconds since 1970; `until` is the end that was asked for."""

    start: float
    end: float
    until: float | None

    @property
    def members(self) -> Node:
        return {"startTime": _local(self.start), "endTime": _local(self.end)}


def _span(start: datetime | None, end: datetime | None) -> _Span:
    """Return the span that is meant. Raises `Refused`."""
    now = time.time()
    return _Span(
        now - _DEFAULT_SPAN_S if start is None else _seconds(start),
        now if end is None else _seconds(end),
        None if end is None else _seconds(end),
    )


def _seconds(at: datetime) -> float:
    """Return a time, of the machine's zone if it names none. Raises `Refused` for the year 1 and its like."""
    try:
        seconds = at.timestamp()
        _local(seconds)
    except (ValueError, OverflowError, OSError):
        raise Refused(400, f"参数验证失败: 无效的时间: {at.isoformat()}") from None
    return seconds


def _local(at: float) -> str:
    """Return a time as the Java version writes it: local, without a zone."""
    return datetime.fromtimestamp(at).isoformat(timespec="milliseconds")  # noqa: DTZ006 - see above


class _Views:
    """What is shown."""

    def __init__(self, gateway: Gateway, ledger: UsageLedger) -> None:
        self._gateway: Final = gateway
        self._ledger: Final = ledger

    async def now(self, view: Callable[[], Any]) -> Any:
        """Write what there is and look, beside the event loop. Raises `Refused`."""

        def work() -> Any:
            self._ledger.flush()
            return view()

        try:
            return await asyncio.to_thread(work)
        except (UsageUnreadable, sqlite3.Error, OSError) as error:
            raise Refused(500, f"Token 使用量不可用: {error}") from None

    def statistics(self, span: _Span) -> Node:
        """All sums of a span."""
        hours = self._accounts(span, "hour")
        whole = usage_file.total(hours)
        amounts = whole.amounts
        well = amounts.requests - amounts.failures
        instances = self._accounts(span, "instance")
        return {
            **span.members,
            "totalRequests": amounts.requests,
            "successfulRequests": well,
            "failedRequests": amounts.failures,
            "totalTokens": amounts.tokens,
            "totalPromptTokens": amounts.input_tokens,
            "totalCompletionTokens": amounts.output_tokens,
            "avgResponseTimeMs": _ratio(amounts.duration_s * _MS, amounts.requests),
            "successRate": _ratio(100 * well, amounts.requests),
            "bySource": {source: whole.by_source.get(source, 0) for source in ("measured", "estimated", "partial")},
            "byModel": [_of_model(one) for one in self._accounts(span, "model")],
            "byServiceType": [{"serviceType": one.name, **_sums(one)} for one in self._accounts(span, "service")],
            "byInstance": [{"instanceId": one.name, **_sums(one)} for one in instances],
            "byProvider": [{"provider": one.name, **_brief(one)} for one in self._by_provider(instances)],
            "byDay": [{"date": one.name, **_sums(one)} for one in usage_file.grouped(hours, "%Y-%m-%d")],
            "byWeek": [_of_week(one) for one in usage_file.grouped(hours, "%G-W%V")],
            "byMonth": [_of_month(one) for one in usage_file.grouped(hours, "%Y-%m")],
            "byHour": [_of_hour(one) for one in sorted(usage_file.grouped(hours, "%H"), key=lambda one: one.name)],
            "byApiKey": [{"apiKeyId": one.name, **_brief(one)} for one in self._accounts(span, "key")],
            "byUser": [],
        }

    def recent(self, limit: int, model: str | None) -> list[Node]:
        """The newest calls."""
        providers = self._providers()
        return [_of_call(one, providers) for one in usage_file.newest(self._ledger.path, min(limit, _MOST), model)]

    def top(self, span: _Span, column: str, name: str, limit: int) -> list[Node]:
        """The values of a column with the most tokens."""
        ranked = self._accounts(span, column)[:limit]
        return [{"rank": rank, name: one.name, **_sums(one)} for rank, one in enumerate(ranked, 1)]

    def dashboard(self, span: _Span) -> Node:
        """All in one."""
        return {
            "statistics": self.statistics(span),
            "topModels": self.top(span, "model", "modelName", 5),
            "topServiceTypes": self.top(span, "service", "serviceType", 5),
            "recentUsage": self.recent(10, None),
            "timeRange": span.members,
        }

    def _accounts(self, span: _Span, column: str) -> list[Account]:
        return usage_file.accounts(self._ledger.path, column, span.start, span.until)

    def _providers(self) -> dict[str, str]:
        return {target.id: target.dialect.value for target in self._gateway.table.targets}

    def _by_provider(self, instances: list[Account]) -> list[Account]:
        """Return accounts by what the instances speak; those that are no longer configured are `unknown`."""
        providers = self._providers()
        found: dict[str, list[Account]] = {}
        for one in instances:
            found.setdefault(providers.get(one.name, "unknown"), []).append(one)
        return [Account(name, usage_file.total(ones).amounts) for name, ones in found.items()]


def _brief(one: Account) -> Node:
    return {"totalTokens": one.amounts.tokens, "requestCount": one.amounts.requests}


def _sums(one: Account) -> Node:
    return {
        "totalTokens": one.amounts.tokens,
        "promptTokens": one.amounts.input_tokens,
        "completionTokens": one.amounts.output_tokens,
        "requestCount": one.amounts.requests,
    }


def _of_model(one: Account) -> Node:
    average = _ratio(one.amounts.tokens, one.amounts.requests)
    return {"modelName": one.name, **_sums(one), "avgTokensPerRequest": average}


def _of_week(one: Account) -> Node:
    year, _, week = one.name.partition("-W")
    return {"year": int(year), "week": int(week), **_sums(one), "weekLabel": one.name}


def _of_month(one: Account) -> Node:
    year, _, month = one.name.partition("-")
    return {"year": int(year), "month": int(month), **_sums(one), "monthLabel": one.name}


def _of_hour(one: Account) -> Node:
    return {"hour": int(one.name), **_brief(one), "hourLabel": f"{one.name}:00"}


def _of_call(one: OneCall, providers: dict[str, str]) -> Node:
    name, _, url = one.instance.rpartition("@")
    known = one.input_tokens is not None and one.output_tokens is not None
    return {
        "traceId": one.request_id,
        "serviceType": one.service,
        "modelName": one.model,
        "provider": providers.get(one.instance),
        "instanceName": name or None,
        "instanceUrl": url or None,
        "promptTokens": one.input_tokens,
        "completionTokens": one.output_tokens,
        "totalTokens": (one.input_tokens or 0) + (one.output_tokens or 0) if known else None,
        "source": one.source or None,
        "apiKeyId": one.key or None,
        "isSuccess": one.ended == "ok" and one.status < _CLIENT_ERROR,
        "status": one.status,
        "ended": one.ended,
        "responseTimeMs": round(one.duration_s * _MS),
        "occurredAt": _local(one.at),
    }


def _ratio(part: float, whole: int) -> float:
    return round(part / whole, 2) if whole else 0.0
