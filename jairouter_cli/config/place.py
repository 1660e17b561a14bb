"""Where something is configured that holds for calls."""

from typing import NamedTuple

from jairouter_cli.config.model import ServiceType


class Place(NamedTuple):
    """The gateway as a whole, a service, or one of its instances.

    `instance` is its id, with its number behind it where others have the same.
    """

    service: ServiceType | None = None
    instance: str = ""

    def __str__(self) -> str:
        """Return it in words: `gateway`, `service chat`, an instance's id."""
        return "gateway" if self.service is None else self.instance or f"service {self.service}"

    @property
    def label(self) -> str:
        """Return it as metrics name it: `gateway`, `chat`, an instance's id."""
        return "gateway" if self.service is None else self.instance or self.service.value

    @property
    def key(self) -> str:
        """Return it as what is kept for it is named, unlike any other's."""
        if self.service is None:
            return "gateway"
        return f"instance:{self.service}:{self.instance}" if self.instance else f"service:{self.service}"

    @property
    def scope(self) -> str:
        """Return the plain scope of a limit here."""
        return "global" if self.service is None else "instance" if self.instance else "service"
