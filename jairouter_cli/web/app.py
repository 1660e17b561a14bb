"""The Litestar application of one worker: the routes of all surfaces over one gateway."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Final, NamedTuple

from litestar import Litestar
from litestar.datastructures import State
from litestar.plugins import PluginProtocol
from litestar.plugins.core import MsgspecDIPlugin

from jairouter_cli.config.store import Store
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.telemetry.instruments import Instruments
from jairouter_cli.telemetry.metric_catalogue import Catalogue
from jairouter_cli.telemetry.scrape import Scrape
from jairouter_cli.web.actuator.conventions import ERRORS as ACTUATOR_ERRORS
from jairouter_cli.web.actuator.env import Origins
from jairouter_cli.web.actuator.routes import actuator_router
from jairouter_cli.web.auth.operators import not_too_often, operators_only, plain_only
from jairouter_cli.web.doors.asgi import routes as endpoint_routes
from jairouter_cli.web.errors import exception_handlers
from jairouter_cli.web.home import home_routes
from jairouter_cli.web.manage.editor import Editor
from jairouter_cli.web.manage.envelope import ENVELOPED, Refused, answer_refusal
from jairouter_cli.web.manage.explain import explain_routes
from jairouter_cli.web.manage.instance_ids import instance_id_routes
from jairouter_cli.web.manage.instances import instance_routes
from jairouter_cli.web.manage.limit_levels import limits_routes
from jairouter_cli.web.manage.limits import service_limit_routes
from jairouter_cli.web.manage.live import live_routes
from jairouter_cli.web.manage.loadbalancer import balancing_routes
from jairouter_cli.web.manage.merge import merge_routes
from jairouter_cli.web.manage.metric_registry import metric_registry_routes
from jairouter_cli.web.manage.metrics import metric_value_routes, metric_view_routes
from jairouter_cli.web.manage.models import catalogue_routes
from jairouter_cli.web.manage.monitoring import monitoring_routes
from jairouter_cli.web.manage.monitoring_config import monitoring_config_routes
from jairouter_cli.web.manage.services import service_routes
from jairouter_cli.web.manage.usage import usage_routes
from jairouter_cli.web.manage.versions import version_routes
from jairouter_cli.web.openapi.document import openapi_config, page_routes
from jairouter_cli.web.router import OnceRouter
from jairouter_cli.web.v1.calls import OpenAI
from jairouter_cli.web.v1.endpoints import BY_PATH, ENDPOINTS
from jairouter_cli.web.v1.models import model_routes

_PROPOSED: Final = (*BY_PATH, "/v1/models", "/api/v1/models", "/health", "/metrics", "/docs", "/actuator/health")

Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]


class Application(Litestar):
    """Litestar without its plugins for models of Pydantic and attrs: nothing here has any, and they bring both along.

    The method is not public; if it goes by another name one day, a worker starts later and is larger.
    """

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        return [*plugins, MsgspecDIPlugin()]


class Parts(NamedTuple):
    """What the application is made of."""

    gateway: Gateway
    store: Store
    watching: Instruments
    openai: OpenAI
    options: Mapping[str, str] = {}
    """The settings that the command line says over the file's."""


def application(parts: Parts, lifespan: Lifespan) -> Litestar:
    """Put the application together; what lives as long as it does is the `lifespan`."""
    gateway, store, watching = parts.gateway, parts.store, parts.watching
    editor, observatory = Editor(gateway, store), Scrape(gateway, store, watching)
    catalogue = Catalogue(gateway, observatory)
    sections = {
        "服务类型管理": [*service_routes(editor), *service_limit_routes(editor)],
        "服务实例管理": [*instance_routes(editor, gateway), *instance_id_routes(editor, gateway)],
        "负载均衡管理": balancing_routes(editor),
        "配置版本管理": version_routes(editor),
        "配置合并管理": merge_routes(editor),
        "模型信息接口": catalogue_routes(gateway),
        "Token 使用量统计": usage_routes(gateway, watching.usage),
        "Metric Registration": [
            *metric_view_routes(catalogue),
            *metric_value_routes(catalogue, gateway, observatory),
            *metric_registry_routes(editor, gateway, catalogue),
        ],
        "Monitoring": [
            *explain_routes(gateway),
            *limits_routes(gateway),
            *monitoring_routes(gateway),
            *live_routes(gateway, observatory),
            *monitoring_config_routes(editor, gateway),
        ],
    }
    return Application(
        route_handlers=[
            *endpoint_routes(parts.openai.answers()),
            *page_routes(),
            *home_routes(),
            OnceRouter("/", route_handlers=model_routes(gateway), guards=[not_too_often], tags=["统一模型接口"]),
            actuator_router(gateway, Origins(gateway, store, parts.options), observatory, watching.levels),
            OnceRouter(
                "/",
                route_handlers=[
                    OnceRouter("/", route_handlers=handlers, tags=[tag]) for tag, handlers in sections.items()
                ],
                guards=[not_too_often, operators_only, plain_only],
                security=[{}, {"bearer": []}, {"adminToken": []}],
            ),
        ],
        lifespan=[lifespan],
        state=State({"gateway": gateway}),
        exception_handlers={Refused: answer_refusal, **exception_handlers([ACTUATOR_ERRORS, ENVELOPED], _PROPOSED)},
        openapi_config=openapi_config(ENDPOINTS),
        logging_config=None,
        request_max_body_size=None,  # `Intake` has the one limit
    )
