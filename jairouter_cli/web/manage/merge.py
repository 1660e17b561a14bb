"""`/api/config/merge`: the files of the Java version's store, united into this configuration.

They lie in `store.path`, which is taken from the folder of the configuration file.
"""

import shutil
import time
from pathlib import Path
from typing import Annotated, Any, Final

from litestar import Response, delete, get, post
from litestar.params import QueryParameter

from jairouter_cli.config import files, java_store
from jairouter_cli.config.masking import concealed
from jairouter_cli.config.model import ModelSection
from jairouter_cli.config.ops.imports import take_over
from jairouter_cli.config.ops.sections import written
from jairouter_cli.config.parse import read_section
from jairouter_cli.errors import ConfigError, ForeignUnreadable
from jairouter_cli.web.errors import AnyRequest
from jairouter_cli.web.manage.editor import Editor
from jairouter_cli.web.manage.envelope import WRONG, Refused, envelope
from jairouter_cli.web.openapi import samples
from jairouter_cli.web.openapi.shown import enveloped

BASE: Final = "/api/config/merge"
NO_FILES: Final = "未找到任何版本配置文件"
FAILED: Final = "自动合并过程中发生错误"
NOTHING_READ: Final = "没有成功读取任何配置文件"
NOTHING_TO_BACK_UP: Final = "未找到任何需要备份的配置文件"

MergeResult = dict[str, Any]
Originals = Annotated[bool, QueryParameter(name="deleteOriginals")]


class _Files:
    """The files of the Java version's store, and what is done with them. To be used beside the event loop."""

    def __init__(self, editor: Editor) -> None:
        self._editor: Final = editor

    @property
    def path(self) -> str:
        """Where they lie, as the configuration says it."""
        return self._editor.config.store.path

    @property
    def folder(self) -> Path:
        """Where they lie."""
        return self._editor.store.file.parent / self.path

    def present(self) -> dict[int, Path]:
        """Return them by their numbers."""
        return java_store.versions(self.folder)

    def shown(self, path: Path) -> str:
        """Return a file as answers name it."""
        return str(Path(self.path) / path.name)

    def result(self, message: str, paths: list[Path], new: int = 0, errors: list[str] | None = None) -> MergeResult:
        """Return what was done, in the Java version's form."""
        return {
            "success": True,
            "message": message,
            "mergedFilesCount": len(paths),
            "newVersionCount": new,
            "mergedFiles": [self.shown(path) for path in paths],
            "errors": errors or [],
        }

    def united(self) -> tuple[dict[str, Any], list[Path], list[str]]:
        """Return what the files come to, those that could be read, and what is wrong with the others."""
        documents, read, errors = [], [], []
        for path in self.present().values():
            try:
                documents.append(java_store.read(path))
                read.append(path)
            except ForeignUnreadable as error:
                errors.append(str(error))
        if not read:
            raise Refused(400, NOTHING_READ if errors else NO_FILES)
        return java_store.united(documents), read, errors

    async def merge(self, request: AnyRequest) -> MergeResult:
        """Put what the files come to into force, and keep it as version 1 in their place."""
        model, read, errors = await self._editor.call(FAILED, self.united)
        summary = f"merged {len(read)} files of the Java version's store"
        try:
            await self._editor.edit(request, lambda document: take_over(document, model, summary), FAILED)
        except Refused as refusal:
            said = refusal.message.removeprefix(WRONG).removeprefix(f"{FAILED}: ")
            raise Refused(refusal.status, f"{FAILED}: {said}") from None

        def reset() -> None:
            files.replace(self.folder / java_store.file_name(1), java_store.exported(self._editor.config))
            for path in read:
                if path.name != java_store.file_name(1):
                    path.unlink()

        await self._editor.call(FAILED, reset)
        return self.result(f"成功合并 {len(read)} 个配置文件，重置版本为1", read, 1, errors)

    def back_up(self) -> MergeResult:
        """Copy them into a folder beside them."""
        paths = list(self.present().values())
        if not paths:
            raise Refused(400, NOTHING_TO_BACK_UP)
        target = self.folder / f"backup_{int(time.time() * 1000)}"
        target.mkdir()
        for path in paths:
            shutil.copy2(path, target / path.name)
        return self.result(f"成功备份 {len(paths)} 个配置文件到 {self.path}/{target.name}", paths)

    def clean_up(self, *, wanted: bool, keep: frozenset[int] = frozenset()) -> MergeResult:
        """Remove them, if that is wanted."""
        paths = [path for number, path in self.present().items() if wanted and number not in keep]
        for path in paths:
            path.unlink()
        return self.result(f"成功清理 {len(paths)} 个配置文件", paths)

    def judged(self) -> dict[str, Any]:
        """Return what is wrong with each, if anything is."""
        details = {}
        for number, path in self.present().items():
            errors: list[str] = []
            try:
                read_section(ModelSection, written(ModelSection, java_store.read(path)))
            except ConfigError as error:
                errors = [str(problem) for problem in error.problems]
            except ForeignUnreadable as error:
                errors = [str(error)]
            details[str(number)] = {"file": self.shown(path), "valid": not errors, "errors": errors}
        return details


def merge_routes(editor: Editor) -> list[Any]:
    """Return the routes."""
    of = _Files(editor)

    @get(
        f"{BASE}/scan",
        summary="扫描版本配置文件",
        operation_class=enveloped("扫描完成，找到 1 个版本配置文件", samples.FILES),
    )
    async def scan() -> Response[Any]:
        """The files that there are, by their numbers."""
        found = await editor.call("扫描失败", of.present)
        data = {str(number): of.shown(path) for number, path in found.items()}
        return envelope(f"扫描完成，找到 {len(found)} 个版本配置文件", data)

    @get(
        f"{BASE}/preview",
        summary="预览合并结果",
        operation_class=enveloped("预览生成成功", {"mergedConfig": samples.WHOLE, "totalFiles": 1}),
    )
    async def preview(*, reveal: bool = False) -> Response[Any]:
        """What the files come to, without doing anything; keys are masked unless `reveal` is asked for."""
        try:
            model, read, _ = await editor.call("预览生成失败", of.united)
        except Refused as refusal:
            raise Refused(refusal.status, f"预览生成失败: {refusal.message}") from None
        data = {
            "mergedConfig": model if reveal else concealed(ModelSection, model),
            "sourceFiles": [of.shown(path) for path in read],
            "totalFiles": len(read),
        }
        return envelope("预览生成成功", data)

    @post(
        f"{BASE}/execute",
        summary="执行配置文件合并",
        status_code=200,
        operation_class=enveloped("成功合并 1 个配置文件，重置版本为1", samples.MERGED, edits=True),
    )
    async def execute(request: AnyRequest) -> Response[Any]:
        """Unite the files, put the outcome into force as a revision, and keep it as version 1 in their place."""
        done = await of.merge(request)
        return envelope(done["message"], done)

    @post(
        f"{BASE}/backup",
        summary="备份现有配置文件",
        status_code=200,
        operation_class=enveloped("成功备份 1 个配置文件到 config/backup_1795495221000", samples.MERGED, edits=True),
    )
    async def backup() -> Response[Any]:
        """Copy the files into a folder beside them."""
        done = await editor.call("备份失败", of.back_up)
        return envelope(done["message"], done)

    @delete(
        f"{BASE}/cleanup",
        summary="清理配置文件",
        status_code=200,
        operation_class=enveloped("成功清理 0 个配置文件", samples.MERGED, edits=True),
    )
    async def cleanup(delete_originals: Originals = False) -> Response[Any]:  # noqa: FBT002 - a query parameter
        """Remove the files, if that is asked for."""
        done = await editor.call("清理失败", lambda: of.clean_up(wanted=delete_originals))
        return envelope(done["message"], done)

    @post(
        f"{BASE}/batch",
        summary="批量操作",
        status_code=200,
        operation_class=enveloped("批量操作完成", {"merge": {"executed": True, "result": samples.MERGED}}, edits=True),
    )
    async def batch(request: AnyRequest, delete_originals: Originals = False) -> Response[Any]:  # noqa: FBT002
        """Back up, merge, and remove the originals if that is asked for; what was merged is kept."""
        try:
            backed_up = await editor.call("备份失败", of.back_up)
        except Refused as refusal:
            raise Refused(400, f"批量操作失败：备份阶段失败 - {refusal.message}") from None
        try:
            merged = await of.merge(request)
        except Refused as refusal:
            raise Refused(400, f"批量操作失败：合并阶段失败 - {refusal.message}") from None
        cleaned = await editor.call("清理失败", lambda: of.clean_up(wanted=delete_originals, keep=frozenset({1})))
        stages = {"backup": (True, backed_up), "merge": (True, merged), "cleanup": (delete_originals, cleaned)}
        data = {name: {"executed": executed, "result": outcome} for name, (executed, outcome) in stages.items()}
        return envelope("批量操作完成", data)

    @get(
        f"{BASE}/status",
        summary="获取服务状态",
        operation_class=enveloped("状态获取成功", {"availableVersionFiles": 1, "versionFiles": samples.FILES}),
    )
    async def status() -> Response[Any]:
        """Which files there are."""
        found = await editor.call("状态获取失败", of.present)
        data = {
            "availableVersionFiles": len(found),
            "versionFiles": {str(number): of.shown(path) for number, path in found.items()},
            "configDirectory": of.path,
            "serviceReady": True,
        }
        return envelope("状态获取成功", data)

    @get(
        f"{BASE}/validate",
        summary="验证配置文件",
        operation_class=enveloped("验证完成，共 1 个文件", {"totalFiles": 1, "validFiles": 1}),
    )
    async def validate() -> Response[Any]:
        """Which of the files could be used, and what is wrong with the others."""
        details = await editor.call("验证失败", of.judged)
        valid = sum(one["valid"] for one in details.values())
        counts = {"totalFiles": len(details), "validFiles": valid, "invalidFiles": len(details) - valid}
        return envelope(f"验证完成，共 {len(details)} 个文件", {**counts, "details": details})

    @get(
        f"{BASE}/statistics",
        summary="获取统计信息",
        operation_class=enveloped("统计信息获取成功", {"totalVersionFiles": 1, "newestVersion": 1}),
    )
    async def statistics() -> Response[Any]:
        """How many files there are, and the oldest and the newest of them."""
        found = await editor.call("统计信息获取失败", of.present)
        data = {"totalVersionFiles": len(found), "previewAvailable": bool(found)}
        if found:
            data |= {"oldestVersion": min(found), "newestVersion": max(found)}
        return envelope("统计信息获取成功", {**data, "configDirectory": of.path})

    return [scan, preview, execute, backup, cleanup, batch, status, validate, statistics]
