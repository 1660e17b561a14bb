"""The section `management`: which endpoints of `/actuator` are exposed, and who sees what (Spring's keys)."""

from enum import StrEnum
from typing import Final

from msgspec import Struct, field

from jairouter_cli.config.kinds import Text

ENDPOINTS: Final = ("health", "info", "metrics", "prometheus", "loggers", "env", "configprops", "jairouter-metrics")


class Show(StrEnum):
    """Whom something is shown to; `when-authorized` is whoever may use the management API."""

    NEVER = "never"
    WHEN_AUTHORIZED = "when-authorized"
    ALWAYS = "always"


class Access(StrEnum):
    """What may be done with an endpoint."""

    NONE = "none"
    READ_ONLY = "read-only"
    UNRESTRICTED = "unrestricted"


class Exposure(Struct, frozen=True, kw_only=True):
    """`exposure`: the endpoints that there are, by name; `*` stands for all, and `exclude` wins."""

    include: tuple[Text, ...] = ENDPOINTS
    exclude: tuple[Text, ...] = ()


class Discovery(Struct, frozen=True, kw_only=True):
    """`discovery`: whether `/actuator` lists what there is."""

    enabled: bool = True


class Web(Struct, frozen=True, kw_only=True):
    """`management.endpoints.web`."""

    exposure: Exposure = Exposure()
    discovery: Discovery = Discovery()


class Endpoints(Struct, frozen=True, kw_only=True):
    """`management.endpoints`."""

    web: Web = Web()


class EndpointAccess(Struct, frozen=True, kw_only=True):
    """`management.endpoint.<name>`: `enabled` is Spring's older word, which holds where `access` says nothing."""

    enabled: bool = True
    access: Access | None = None

    @property
    def granted(self) -> Access:
        """What may be done with it."""
        return self.access or (Access.UNRESTRICTED if self.enabled else Access.NONE)


class HealthEndpoint(EndpointAccess, frozen=True, kw_only=True):
    """`management.endpoint.health`: who sees more than a status; `show_components` is as `show_details` by default."""

    show_details: Show = Show.ALWAYS
    show_components: Show | None = None


class ValuesEndpoint(EndpointAccess, frozen=True, kw_only=True):
    """`management.endpoint.env` and `configprops`: who sees values; those of secrets are never shown."""

    show_values: Show = Show.NEVER


class EndpointSettings(Struct, frozen=True, kw_only=True):
    """`management.endpoint`."""

    health: HealthEndpoint = HealthEndpoint()
    info: EndpointAccess = EndpointAccess()
    metrics: EndpointAccess = EndpointAccess()
    prometheus: EndpointAccess = EndpointAccess()
    loggers: EndpointAccess = EndpointAccess()
    env: ValuesEndpoint = ValuesEndpoint()
    configprops: ValuesEndpoint = ValuesEndpoint()
    jairouter_metrics: EndpointAccess = EndpointAccess()


class MetricTags(Struct, frozen=True, kw_only=True):
    """`management.metrics`: tags that every series carries, beside `monitoring.metrics.custom-tags`, which win."""

    tags: dict[str, str] = field(default_factory=dict)


class Management(Struct, frozen=True, kw_only=True):
    """`management`."""

    endpoints: Endpoints = Endpoints()
    endpoint: EndpointSettings = EndpointSettings()
    metrics: MetricTags = MetricTags()
