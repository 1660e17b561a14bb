"""All of `/actuator`, put together."""

from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.observe.log_levels import LoggerLevels
from jairouter_cli.telemetry.scrape import Scrape
from jairouter_cli.web.actuator.configprops import configprops_routes
from jairouter_cli.web.actuator.conventions import exposed_only, no_pages_here
from jairouter_cli.web.actuator.discovery import discovery_routes
from jairouter_cli.web.actuator.env import Origins, env_routes
from jairouter_cli.web.actuator.health import health_routes
from jairouter_cli.web.actuator.info import info_routes
from jairouter_cli.web.actuator.jairouter_metrics import jairouter_metrics_routes
from jairouter_cli.web.actuator.loggers import loggers_routes
from jairouter_cli.web.actuator.metrics import metrics_routes
from jairouter_cli.web.actuator.prometheus import prometheus_routes
from jairouter_cli.web.auth.operators import not_too_often, plain_only
from jairouter_cli.web.router import OnceRouter


def actuator_router(gateway: Gateway, origins: Origins, observatory: Scrape, levels: LoggerLevels) -> OnceRouter:
    """Return its routes; those that show or change the configuration have a guard of their own beside these."""
    return OnceRouter(
        "/",
        route_handlers=[
            *discovery_routes(gateway),
            *health_routes(gateway, observatory, origins.file.resolve()),
            *info_routes(gateway, observatory),
            *metrics_routes(gateway, observatory),
            *prometheus_routes(observatory),
            *env_routes(origins),
            *configprops_routes(origins),
            *loggers_routes(levels),
            *jairouter_metrics_routes(gateway, observatory),
        ],
        guards=[not_too_often, exposed_only, no_pages_here, plain_only],
        tags=["Actuator"],
    )
