"""`/api/config/version` and `/api/config/store`: the revisions of the file (contract 2.4)."""

from typing import Any

from litestar import Response, delete, get, post

from jairouter_cli.config.document import Document
from jairouter_cli.config.history import Revision, masked_diff
from jairouter_cli.config.ops.revisions import roll_back
from jairouter_cli.config.parse import parse
from jairouter_cli.config.upstream import model_view
from jairouter_cli.web.manage.door import Door
from jairouter_cli.web.manage.envelope import AnyRequest, Refused, envelope

BASE = "/api/config/version"


def version_routes(door: Door) -> list[Any]:
    """Return the routes."""

    async def back_to(request: AnyRequest, version: int, failed: str) -> Response[Any]:
        numbers = await door.call(failed, lambda: door.store.history.numbers)
        if version not in numbers:
            raise Refused(400, f"{failed}: 版本不存在: {version}")
        revision: Revision = await door.call(failed, lambda: door.store.history.read(version))
        applied = await door.edit(request, lambda document: roll_back(document, revision), failed)
        message = f"配置已成功回滚到版本: {version}" if failed == "回滚配置失败" else "配置应用成功"
        return envelope(message, door.outcome(applied), 200, door.tags(applied))

    @get(BASE, summary="获取配置版本列表")
    async def listed() -> Response[Any]:
        """The numbers of the revisions that are kept, ascending."""
        numbers = await door.call("获取配置版本列表失败", lambda: door.store.history.numbers)
        return envelope("获取配置版本列表成功", numbers)

    @get(f"{BASE}/current", summary="获取当前配置版本")
    async def current() -> Response[Any]:
        """The newest number, 0 if there is none."""
        numbers = await door.call("获取当前配置版本失败", lambda: door.store.history.numbers)
        return envelope("获取当前配置版本成功", numbers[-1] if numbers else 0)

    @get(f"{BASE}/info", summary="获取所有配置版本信息")
    async def info() -> Response[Any]:
        """When each revision was made, by whom, and what it did."""
        found = await door.call("获取配置版本列表失败", door.revisions)
        shown = [
            {"version": one.number, "at": one.at, "author": one.author, "summary": one.summary, "digest": one.digest}
            for one in found
        ]
        return envelope("获取配置版本列表成功", shown)

    @get(f"{BASE}/{{version:int}}", summary="获取指定版本的配置详情")
    async def one(version: int) -> Response[Any]:
        """A revision as `/api/config/type` would show it; 0 is what is in force."""
        if version == 0:
            return envelope("获取配置版本详情成功", model_view(door.config.model))
        revision: Revision = await door.call("获取配置版本详情失败", lambda: door.store.history.read(version))
        config = await door.call(
            "获取配置版本详情失败", lambda: parse(Document.load(revision.text, f"revision {version}")).config
        )
        return envelope("获取配置版本详情成功", model_view(config.model))

    @get(f"{BASE}/compare/{{older:int}}/{{newer:int}}", summary="比较两个版本")
    async def compare(older: int, newer: int) -> Response[Any]:
        """What was changed from one revision to another, as `diff -u` shows it."""
        before: Revision = await door.call("比较配置版本失败", lambda: door.store.history.read(older))
        after: Revision = await door.call("比较配置版本失败", lambda: door.store.history.read(newer))
        found = masked_diff(before.text, after.text, (f"revision {older}", f"revision {newer}"))
        return envelope("比较配置版本成功", {"from": older, "to": newer, "diff": found})

    @post(f"{BASE}/rollback/{{version:int}}", summary="回滚到指定版本", status_code=200)
    async def rollback(request: AnyRequest, version: int) -> Response[Any]:
        """Put a revision into force again, as a new one."""
        return await back_to(request, version, "回滚配置失败")

    @post(f"{BASE}/apply/{{version:int}}", summary="应用指定版本的配置", status_code=200)
    async def apply(request: AnyRequest, version: int) -> Response[Any]:
        """Put a revision into force again, as a new one."""
        return await back_to(request, version, "配置内容不合法")

    @delete(f"{BASE}/{{version:int}}", summary="删除指定版本", status_code=200)
    async def remove(version: int) -> Response[Any]:
        """Forget a revision that is not the current one."""
        numbers = await door.call("删除配置版本失败", lambda: door.store.history.numbers)
        if numbers[-1:] == [version]:
            raise Refused(400, "不能删除当前版本")
        await door.call("删除配置版本失败", lambda: door.store.forget(version))
        return envelope("配置版本删除成功")

    @get("/api/config/store/status", summary="获取配置存储状态")
    async def status() -> Response[Any]:
        """The file, its newest revision, and which configuration each worker goes by."""
        return envelope("获取配置存储状态成功", await door.call("获取配置存储状态失败", door.standing))

    return [listed, current, info, one, compare, rollback, apply, remove, status]
