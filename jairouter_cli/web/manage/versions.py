"""`/api/config/version` and `/api/config/store`: the revisions of the file."""

from datetime import datetime
from typing import Any, Final

from litestar import Response, delete, get, post

from jairouter_cli.config.document import Document
from jairouter_cli.config.history import Damaged, History, Revision
from jairouter_cli.config.java_store import changes, model_view
from jairouter_cli.config.masking import masked_diff
from jairouter_cli.config.ops.revisions import roll_back
from jairouter_cli.config.parse import parse
from jairouter_cli.errors import ConfigError
from jairouter_cli.web.errors import AnyRequest
from jairouter_cli.web.manage.editor import Editor
from jairouter_cli.web.manage.envelope import Refused, envelope
from jairouter_cli.web.openapi import samples
from jairouter_cli.web.openapi.shown import enveloped

BASE: Final = "/api/config/version"


def version_routes(editor: Editor) -> list[Any]:
    """Return the routes."""

    async def back_to(request: AnyRequest, version: int, unfit: str, failed: str, done: str) -> Response[Any]:
        numbers = await editor.call(failed, lambda: editor.store.history.numbers)
        if version not in numbers:
            raise Refused(400, f"{unfit}: 版本不存在: {version}")
        revision: Revision = await editor.call(failed, lambda: editor.store.history.read(version))
        applied = await editor.edit(request, lambda document: roll_back(document, revision), failed, restores=True)
        return envelope(done, editor.outcome(applied), 200, editor.tags(applied))

    @get(BASE, summary="获取配置版本列表", operation_class=enveloped("获取配置版本列表成功", [1, 2, 3]))
    async def listed() -> Response[Any]:
        """The numbers of the revisions that are kept, ascending."""
        numbers = await editor.call("获取配置版本列表失败", lambda: editor.store.history.numbers)
        return envelope("获取配置版本列表成功", numbers)

    @get(f"{BASE}/current", summary="获取当前配置版本", operation_class=enveloped("获取当前配置版本成功", 3))
    async def current() -> Response[Any]:
        """The newest number, 0 if there is none."""
        numbers = await editor.call("获取当前配置版本失败", lambda: editor.store.history.numbers)
        return envelope("获取当前配置版本成功", numbers[-1] if numbers else 0)

    @get(
        f"{BASE}/info",
        summary="获取所有配置版本信息",
        operation_class=enveloped(
            "获取配置版本列表成功",
            [{"version": 1, "at": "2026-11-24T08:00:00.000Z", "author": "file", "summary": "initial state"}],
        ),
    )
    async def info() -> Response[Any]:
        """When each revision was made, by whom, and what it did."""
        found = await editor.call("获取配置版本列表失败", editor.revisions)
        shown = [_described(one, is_current=one is found[-1]) for one in found]
        return envelope("获取配置版本列表成功", shown)

    @get(
        f"{BASE}/{{version:int}}",
        summary="获取指定版本的配置详情",
        operation_class=enveloped("获取配置版本详情成功", samples.WHOLE),
    )
    async def one(version: int) -> Response[Any]:
        """A revision as `/api/config/type` would show it; 0 is what is in force."""
        if version == 0:
            return envelope("获取配置版本详情成功", model_view(editor.config.model))
        revision: Revision = await editor.call("获取配置版本详情失败", lambda: editor.store.history.read(version))
        config = await editor.call(
            "获取配置版本详情失败", lambda: parse(Document.load(revision.text, f"revision {version}")).config
        )
        return envelope("获取配置版本详情成功", model_view(config.model))

    @get(
        f"{BASE}/compare/{{older:int}}/{{newer:int}}",
        summary="比较两个版本",
        operation_class=enveloped("比较配置版本成功", {"from": 1, "to": 2, "diff": "…"}),
    )
    async def compare(older: int, newer: int) -> Response[Any]:
        """What was changed from one revision to another: as `diff -u` shows it, and value by value; 0 is nothing."""
        if older == newer:
            raise Refused(400, "源版本和目标版本不能相同")
        data = await editor.call("比较配置版本失败", lambda: _compared(editor.store.history, older, newer))
        return envelope("比较配置版本成功", data)

    @get(
        f"{BASE}/compare/{{version:int}}",
        summary="查看版本变更内容",
        operation_class=enveloped("比较配置版本成功", {"from": 1, "to": 2, "diff": "…", "totalChanges": 1}),
    )
    async def changed(version: int) -> Response[Any]:
        """What was changed by a revision, as against the one before it that is kept."""

        def compared() -> dict[str, Any]:
            before = [number for number in editor.store.history.numbers if number < version]
            return _compared(editor.store.history, before[-1] if before else 0, version)

        return envelope("比较配置版本成功", await editor.call("比较配置版本失败", compared))

    @post(
        f"{BASE}/rollback/{{version:int}}",
        summary="回滚到指定版本",
        status_code=200,
        operation_class=enveloped("配置已成功回滚到版本: 2", samples.DONE, edits=True),
    )
    async def rollback(request: AnyRequest, version: int) -> Response[Any]:
        """Put a revision into force again, as a new one."""
        done = f"配置已成功回滚到版本: {version}"
        return await back_to(request, version, "回滚配置失败", "回滚配置失败", done)

    @post(
        f"{BASE}/apply/{{version:int}}",
        summary="应用指定版本的配置",
        status_code=200,
        operation_class=enveloped("配置应用成功", samples.DONE, edits=True),
    )
    async def apply(request: AnyRequest, version: int) -> Response[Any]:
        """Put a revision into force again, as a new one."""
        return await back_to(request, version, "配置内容不合法", "应用配置失败", "配置应用成功")

    @delete(
        f"{BASE}/{{version:int}}",
        summary="删除指定版本",
        status_code=200,
        operation_class=enveloped("配置版本删除成功", edits=True),
    )
    async def remove(version: int) -> Response[Any]:
        """Forget a revision that is not the current one."""
        numbers = await editor.call("删除配置版本失败", lambda: editor.store.history.numbers)
        if numbers[-1:] == [version]:
            raise Refused(400, "不能删除当前版本")
        await editor.call("删除配置版本失败", lambda: editor.store.forget(version))
        return envelope("配置版本删除成功")

    @get(
        "/api/config/store/status",
        summary="获取配置存储状态",
        operation_class=enveloped(
            "获取配置存储状态成功",
            {"file": "/etc/jairouter.yaml", "revision": 7, "digest": "…", "workers": [{"pid": 12, "digest": "…"}]},
        ),
    )
    async def status() -> Response[Any]:
        """The file, its newest revision, and which configuration each worker goes by."""
        return envelope("获取配置存储状态成功", await editor.call("获取配置存储状态失败", editor.standing))

    return [listed, current, info, one, compare, changed, rollback, apply, remove, status]


def _described(one: Revision | Damaged, *, is_current: bool) -> dict[str, Any]:
    """Return what is known of a revision; the last four members are the Java version's."""
    if isinstance(one, Damaged):
        return {"version": one.number, "current": is_current, "damaged": one.reason, "file": one.file}
    return {
        "version": one.number,
        "at": one.at,
        "author": one.author,
        "summary": one.summary,
        "digest": one.digest,
        "current": is_current,
        "operation": one.author,
        "operationDetail": one.summary,
        "timestamp": round(datetime.fromisoformat(one.at).timestamp() * 1000),
    }


def _compared(history: History, older: int, newer: int) -> dict[str, Any]:
    """Return what was changed between two revisions. Raises `RevisionNotFound`, `RevisionsUnreadable`."""
    texts = [history.read(number).text if number else "" for number in (older, newer)]
    names = (f"revision {older}", f"revision {newer}")
    found = {"from": older, "to": newer, "diff": masked_diff(texts[0], texts[1], names)}
    try:
        before, after = (parse(Document.load(text, name)).config.model for text, name in zip(texts, names, strict=True))
    except ConfigError:  # it was good once; a variable is not set any more, perhaps
        return found
    return {**found, "sourceVersion": older, "targetVersion": newer, **changes(before, after)}
