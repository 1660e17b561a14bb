"""Follows the lists of models of backends that have an instance with `discover: true`: revisions by `discovery`."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from jairouter_cli.config.addresses import backend_of
from jairouter_cli.config.history import Author
from jairouter_cli.config.model import Config, Instance, ServiceType
from jairouter_cli.config.ops.discovered import Addition, Present, follow
from jairouter_cli.config.store import Store
from jairouter_cli.discovery.difference import difference
from jairouter_cli.discovery.models import FoundModel
from jairouter_cli.discovery.probe import probe, question_for
from jairouter_cli.errors import JAIRouterError
from jairouter_cli.gateway.gateway import Gateway

logger: Final = logging.getLogger("jairouter")

_ABSENCES: Final = 2  # in a row: a backend that starts may list less for a moment

MarkedInstances = Sequence[tuple[ServiceType, Instance]]


async def follow_lists(gateway: Gateway, store: Store, leads: Callable[[], bool]) -> AsyncIterator[None]:
    """Ask again and again while this worker leads, and yield after every round."""
    lists = ModelLists(gateway, store)
    while True:
        if leads():
            await lists.look()
        yield
        await asyncio.sleep(gateway.table.config.model.discovery_interval_s)


class ModelLists:
    """What is remembered between two rounds: how often a model was absent, and what was said of a backend."""

    def __init__(self, gateway: Gateway, store: Store) -> None:
        self._gateway: Final = gateway
        self._store: Final = store
        self._absences: dict[Present, int] = {}
        self._said: dict[str, str] = {}

    async def look(self) -> None:
        """Ask every backend that has a marked instance, and bring its instances up to date."""
        config = self._gateway.table.config
        marked = _marked(config)
        for instances in marked.values():
            _, one = instances[0]
            try:
                found = await probe(self._gateway.upstream, question_for(config, one))
                await self._follow(config, instances, found.models)
            except JAIRouterError as error:
                self._say(one.base_url, str(error))
            else:
                self._say(one.base_url, "")

    async def _follow(self, config: Config, instances: MarkedInstances, models: Sequence[FoundModel]) -> None:
        kind, first = instances[0]
        changes = difference(config, first.base_url, tuple(models))
        absent = [Present(of, one.id) for of, one in changes.gone if one.discover]
        for one in [Present(of, instance.id) for of, instance in instances]:
            self._absences[one] = self._absences.get(one, 0) + 1 if one in absent else 0
        gone = [one for one in absent if self._absences[one] >= _ABSENCES]
        if len(gone) == len(instances) and not changes.new:  # with the last one the backend would be forgotten
            del gone[0]
        if not changes.new and not gone:
            return
        new = [Addition(model.service, {"name": model.name}) for model in changes.new]
        like = Present(kind, first.id)
        base = first.base_url
        await asyncio.to_thread(
            self._store.apply, lambda document: follow(document, base, new, gone, like), Author.DISCOVERY
        )
        logger.info("the models of %s have changed: %d new, %d gone", base, len(new), len(gone))

    def _say(self, base_url: str, trouble: str) -> None:
        """Log what is wrong with a backend's list, when that changes."""
        before, self._said[base_url] = self._said.get(base_url, ""), trouble
        if trouble and trouble != before:
            logger.warning("the models of %s are not followed: %s", base_url, trouble)
        elif before and not trouble:
            logger.warning("the models of %s are followed again", base_url)


def _marked(config: Config) -> dict[str, list[tuple[ServiceType, Instance]]]:
    """Return the instances with `discover: true`, by their backend."""
    found: dict[str, list[tuple[ServiceType, Instance]]] = {}
    for kind, service in config.model.services.items():
        for one in service.instances:
            if one.discover:
                found.setdefault(backend_of(one.base_url), []).append((kind, one))
    return found
