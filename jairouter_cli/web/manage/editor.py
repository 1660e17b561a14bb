"""The door of the management API to the store: one edit, and an answer when every worker goes by it."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from jairouter_cli.config.change import Change
from jairouter_cli.config.document import Document
from jairouter_cli.config.history import Author, Damaged, Revision
from jairouter_cli.config.model import Config, Service, ServiceType
from jairouter_cli.config.store import Applied, Operation, Store, digest_of
from jairouter_cli.errors import (
    ConfigError,
    ConfigOutdated,
    EditError,
    EditRefused,
    InstanceExists,
    InstanceNotFound,
    RevisionNotFound,
    ServiceExists,
    ServiceNotFound,
    StoreError,
)
from jairouter_cli.gateway.aside import Aside
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.gateway.watcher import doubted, take_over
from jairouter_cli.web.errors import AnyRequest
from jairouter_cli.web.manage.envelope import Refused, known_service

# What the Java version says where an edit does not fit, and what we do where it says nothing.
_REFUSALS: Final[Mapping[type[EditError], tuple[int, str]]] = {
    ConfigOutdated: (412, "配置已被修改: {error}"),
    RevisionNotFound: (404, "指定版本的配置不存在: {number}"),
    InstanceExists: (400, "实例已存在: {instance}"),
    InstanceNotFound: (400, "实例不存在: {instance}"),
    ServiceExists: (400, "参数验证失败: 服务类型已存在: {service}"),
    ServiceNotFound: (400, "参数验证失败: 服务类型不存在: {service}"),
}
_REFUSAL: Final = (400, "参数验证失败: {error}")

_HANGS_S: Final = 80.0  # an edit waits for its turn here, for its turn among all, and for the lock
_PATIENCE_S: Final = 3.0  # the workers look five times a second
_PAUSE_S: Final = 0.02


class Editor:
    """The store of a gateway, as the API uses it."""

    def __init__(self, gateway: Gateway, store: Store) -> None:
        self._gateway: Final = gateway
        self.store: Final = store
        self._aside: Final = Aside()

    @property
    def config(self) -> Config:
        """What is in force."""
        return self._gateway.table.config

    def service(self, name: str) -> tuple[ServiceType, Service]:
        """Return a service that is configured. Raises `Refused`."""
        kind = known_service(name)
        found = self.config.model.services.get(kind)
        if found is None:
            raise Refused(404, f"服务类型不存在: {name}")
        return kind, found

    async def edit(self, request: AnyRequest, operation: Operation, failed: str, *, restores: bool = False) -> Applied:
        """Make an edit, take it over here, and wait until the other workers have. Raises `Refused`.

        A file that looks as if it had been emptied by mistake is not edited on, unless the edit `restores` another.
        """

        def checked(document: Document) -> Change:
            if not restores:
                self._check(document)
            return operation(document)

        expect = request.headers.get("if-match", "").strip().removeprefix("W/").strip('"') or None
        if expect == "*":
            expect = None
        applied: Applied = await self.call(failed, lambda: self.store.apply(checked, Author.API, expect))
        self._gateway.crew.call()
        await take_over(self._gateway, self.store, is_ours=True)
        end = time.monotonic() + _PATIENCE_S
        while self.behind(applied) and time.monotonic() < end:  # noqa: ASYNC110 - other processes are waited for
            await asyncio.sleep(_PAUSE_S)
        return applied

    def _check(self, document: Document) -> None:
        """Raise `ConfigDoubtful` if what is to be edited is in doubt."""
        data, used = document.dump().encode("utf-8"), self._gateway.good.loaded
        if used is not None and digest_of(data) != used.digest:
            error = doubted(self.store, self.store.judged(data, 0), used)
            if error is not None:
                raise error

    async def call(self, failed: str, work: Callable[[], Any]) -> Any:
        """Do what touches files, beside the event loop. Raises `Refused`."""
        try:
            return await self._aside.run(work, _HANGS_S)
        except TimeoutError:
            raise Refused(500, f"{failed}: {self.store.file}: no answer within {_HANGS_S:g} s") from None
        except StoreError as error:
            raise Refused(500, f"{failed}: {error}") from None
        except (ConfigError, EditRefused) as error:
            raise Refused(400, "参数验证失败: " + (", ".join(map(str, error.problems)) or str(error))) from None
        except OSError as error:
            raise Refused(500, f"{failed}: {error.strerror or error}") from None
        except EditError as error:
            status, text = next((said for kind, said in _REFUSALS.items() if isinstance(error, kind)), _REFUSAL)
            raise Refused(status, text.format(error=error, **error.params)) from None

    def behind(self, applied: Applied) -> list[int]:
        """Return the workers that do not go by an edit, or by a newer one."""
        return [worker.pid for worker in self._gateway.crew.workers() if worker.written_at < applied.written_at]

    def outcome(self, applied: Applied, **more: Any) -> dict[str, Any]:
        """Return what an edit came to: the revision, and which workers do not go by it yet."""
        behind = self.behind(applied)
        return {**more, "revision": applied.revision, "inForce": not behind, "workersBehind": behind}

    @staticmethod
    def tags(applied: Applied) -> dict[str, str]:
        """Return the headers by which the next edit can say what it has seen."""
        return {"etag": f'"{applied.after}"'}

    def standing(self) -> dict[str, Any]:
        """Return how the file, its revisions and the workers stand. To be called beside the event loop."""
        last = self.store.history.last
        rejection = self._gateway.rejection
        return {
            "file": str(self.store.file),
            "revision": None if last is None else last.number,
            "digest": self._gateway.digest,
            "workers": [
                {"pid": one.pid, "digest": one.digest, "writtenAt": one.written_at}
                for one in self._gateway.crew.workers()
            ],
            "rejected": None if rejection is None else str(rejection.error),
        }

    def revisions(self) -> list[Revision | Damaged]:
        """Return all revisions, the oldest first. To be called beside the event loop."""
        return list(self.store.history.newest())[::-1]
