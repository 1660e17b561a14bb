"""The models that a backend lists against those of a configuration: which are new, present, gone."""

from collections.abc import Iterator
from dataclasses import dataclass

from jairouter_cli.config.addresses import backend_of
from jairouter_cli.config.model import Config, Instance, ServiceType
from jairouter_cli.discovery.models import FoundModel


@dataclass(frozen=True, slots=True)
class ModelDifference:
    """The models of a backend against a configuration, in the order of its list.

    `gone` are the instances whose model the backend no longer lists, with their services.
    """

    new: tuple[FoundModel, ...]
    present: tuple[FoundModel, ...]
    gone: tuple[tuple[ServiceType, Instance], ...]


def difference(config: Config, base_url: str, models: tuple[FoundModel, ...]) -> ModelDifference:
    """Return what the models of the backend at an address mean for a configuration."""
    there = list(instances_of(config, base_url))
    known = {_plain(one.upstream_model or one.name) for _, one in there}
    listed = {_plain(model.name) for model in models}
    return ModelDifference(
        new=tuple(model for model in models if _plain(model.name) not in known),
        present=tuple(model for model in models if _plain(model.name) in known),
        gone=tuple((kind, one) for kind, one in there if _plain(one.upstream_model or one.name) not in listed),
    )


def instances_of(config: Config, base_url: str) -> Iterator[tuple[ServiceType, Instance]]:
    """Yield the instances of a backend with their services, however its address is written."""
    wanted = backend_of(base_url)
    for kind, service in config.model.services.items():
        for one in service.instances:
            if backend_of(one.base_url) == wanted:
                yield kind, one


def _plain(name: str) -> str:
    """Return a name without Ollama's `:latest`, which may be left out."""
    return name.removesuffix(":latest")
