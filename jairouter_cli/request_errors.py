"""Every error that a client of the gateway can get, with its HTTP status, `type`, `code` and texts in both languages.

RequestError
├── InvalidRequest
│   ├── MissingParameter
│   ├── InvalidParameter
│   ├── PayloadTooLarge
│   ├── BodyLate
│   ├── UnsupportedMediaType
│   ├── EncodingUnsupported
│   └── HeaderUnreadable
├── NotFound
│   ├── ModelNotFound
│   └── RouteNotFound
│       └── RouteMisspelled
│           └── BaseUrlWrong
├── MethodNotAllowed
├── RateLimitExceeded
│   └── InstancesLimited
├── NotFromHere
├── FromOtherSite
├── TokenMissing
├── ServiceUnavailable
│   ├── InstancesDown
│   ├── InstancesCooling
│   ├── InstancesFull
│   ├── CircuitBreakerOpen
│   ├── Degraded
│   └── ShuttingDown
├── UpstreamError
│   ├── UpstreamTruncated
│   └── UpstreamUnsendable
├── UpstreamTimeout
└── InternalError
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from jairouter_cli.errors import JAIRouterError

_SHOWN_NAME: Final = 128  # letters of a client's words that an error repeats


class RequestError(JAIRouterError):
    """The error that a client of the gateway gets.

    `type` is also the `code`, unless clients know another; `reason` is the finer, stable name in `details.reason`.
    `param` names the field of the request that is wrong. `details` is added to the error object's `details`.
    `retry_after_s` becomes `Retry-After`; `headers` are sent as well.
    """

    status: ClassVar[int] = 500
    type: ClassVar[str] = "internal_error"
    code: ClassVar[str | None] = None
    reason: ClassVar[str] = "internal_error"
    texts: ClassVar[Mapping[str, str]] = {"en": "{message}", "zh": "{message}"}

    def __init__(
        self,
        *,
        param: str | None = None,
        details: Mapping[str, object] | None = None,
        retry_after_s: float | None = None,
        hint: str | None = None,
        **params: object,
    ) -> None:
        self.param = param
        self.details = dict(details or {})
        self.retry_after_s = retry_after_s
        self.headers: dict[str, str] = {}
        super().__init__(hint=hint, **params)


class InvalidRequest(RequestError):
    """The body is not of the form that the endpoint expects. Keyword: `problem`."""

    status = 400
    type = "invalid_request"
    reason = "malformed_body"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "The request body is malformed: {problem}",
        "zh": "请求体格式错误：{problem}",
    }


class MissingParameter(InvalidRequest):
    """A required field is missing or empty. Keyword: `name`."""

    reason = "missing_parameter"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "The parameter '{name}' is required",
        "zh": "缺少必需参数：{name}",
    }

    def __init__(self, name: str) -> None:
        super().__init__(param=name, name=name)


class InvalidParameter(InvalidRequest):
    """A field has the wrong type. Keywords: `name`, `problem`."""

    reason = "invalid_parameter"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "The parameter '{name}' is invalid: {problem}",
        "zh": "参数 {name} 无效：{problem}",
    }

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(param=name, name=name, problem=problem)


class PayloadTooLarge(InvalidRequest):
    """The body is over the limit. Keywords: `limit_bytes`, `setting`."""

    status = 413
    reason = "payload_too_large"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "The request body exceeds the limit of {limit_bytes} bytes ({setting})",
        "zh": "请求体超过 {limit_bytes} 字节的上限（{setting}）",
    }


class BodyLate(InvalidRequest):
    """The body did not arrive in time. Keywords: `setting`, `seconds`."""

    status = 408
    reason = "body_timeout"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "The request body did not arrive in time ({setting}, {seconds:g} s)",
        "zh": "请求体未在规定时间内到达（{setting}，{seconds:g} 秒）",
    }

    def __init__(self, *, setting: str, seconds: float) -> None:
        super().__init__(setting=setting, seconds=seconds)
        self.headers["connection"] = "close"  # the rest of the body may still come


class UnsupportedMediaType(InvalidRequest):
    """The endpoint does not accept the content type. Keywords: `expected`, `found`."""

    status = 415
    reason = "unsupported_media_type"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "This endpoint expects {expected}, not '{found}'",
        "zh": "该接口需要 {expected}，而不是 '{found}'",
    }


class EncodingUnsupported(InvalidRequest):
    """The content encoding of the body is not supported. Keywords: `found`, `accepted` as in `Accept-Encoding`."""

    status = 415
    reason = "unsupported_content_encoding"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "The content encoding '{found}' is not supported; send the body uncompressed, or use one of: {accepted}",
        "zh": "不支持内容编码 '{found}'；请发送未压缩的请求体，或使用：{accepted}",
    }

    def __init__(self, *, found: str, accepted: str) -> None:
        super().__init__(found=found, accepted=accepted)
        self.headers["accept-encoding"] = accepted


class HeaderUnreadable(InvalidRequest):
    """A header has a value that cannot be forwarded. Keyword: `name`."""

    reason = "invalid_header"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "The value of the header '{name}' is not ASCII and cannot be forwarded; send it percent-encoded",
        "zh": "请求头 '{name}' 的值含有非 ASCII 字符，无法转发；请使用百分号编码",
    }


class NotFound(RequestError):
    """The requested thing does not exist."""

    status = 404
    type = "not_found"
    reason = "not_found"


class ModelNotFound(NotFound):
    """No enabled instance of the service has that model name.

    Keywords: `model`; `service`, None where any would do; `nearest`, the name that may be meant, or None; `models`,
    some of those that are configured, and `more`, the number of the others; `elsewhere`, the services that have it.
    """

    code = "model_not_found"
    reason = "model_not_found"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "No instances found for model '{model}' in service type '{service}'",
        "zh": "服务类型 '{service}' 中没有模型 '{model}' 的可用实例",
    }
    _parts: ClassVar[Mapping[str, Mapping[str, str]]] = {
        "en": {
            "": "The model '{model}' does not exist",  # without a service; the others if their parameter has a value
            "elsewhere": "; it belongs to another service: {elsewhere}",
            "models": "; available models: {models}",
            "more": " and {more} more",
            "nothing": "; there are no models yet",
            "nearest": "; did you mean '{nearest}'?",
        },
        "zh": {
            "": "模型 '{model}' 不存在",
            "elsewhere": "；该模型属于其他服务：{elsewhere}",
            "models": "；可用的模型：{models}",
            "more": " 等，另有 {more} 个",
            "nothing": "；目前还没有任何模型",
            "nearest": "；您要找的是 '{nearest}' 吗？",
        },
    }

    def __init__(
        self,
        *,
        model: str,
        service: str | None,
        nearest: str | None = None,
        models: Sequence[str] = (),
        more: int = 0,
        elsewhere: Sequence[str] = (),
    ) -> None:
        super().__init__(
            param="model",
            details={"available": [*models], **({"nearest": nearest} if nearest else {})},
            model=model if len(model) <= _SHOWN_NAME else model[:_SHOWN_NAME] + "...",
            service=service,
            nearest=nearest,
            models=", ".join(models),
            more=more,
            elsewhere=", ".join(elsewhere),
            nothing=not models,
        )

    def message(self, locale: str = "en") -> str:
        """Return what is missing, and what there is."""
        params, parts = self.params, self._parts.get(locale, self._parts["en"])
        head = self.texts.get(locale, self.texts["en"]) if params["service"] else parts[""]
        return "".join([head, *(text for name, text in parts.items() if name and params[name])]).format(**params)


class RouteNotFound(NotFound):
    """The gateway has no such path. Keywords: `method`, `path`."""

    reason = "route_not_found"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "No such path: {method} {path}",
        "zh": "路径不存在：{method} {path}",
    }


class RouteMisspelled(RouteNotFound):
    """The gateway has no such path, but one like it. Keywords: `method`, `path`, `nearest`."""

    texts: ClassVar[Mapping[str, str]] = {
        "en": "No such path: {method} {path}; did you mean {nearest}?",
        "zh": "路径不存在：{method} {path}；您要找的是 {nearest} 吗？",
    }


class BaseUrlWrong(RouteMisspelled):
    """A client's base URL lacks `/v1`, or has too much. Keywords: `method`, `path`, `nearest`."""

    texts: ClassVar[Mapping[str, str]] = {
        "en": RouteMisspelled.texts["en"] + " The base URL for OpenAI clients ends in /v1",
        "zh": RouteMisspelled.texts["zh"] + "OpenAI 客户端的 base URL 应以 /v1 结尾",
    }


class MethodNotAllowed(RequestError):
    """The path exists, but not for this method. Keywords: `method`, `path`, `allowed`."""

    status = 405
    type = "invalid_request"
    reason = "method_not_allowed"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "{path} accepts {allowed}, not {method}",
        "zh": "{path} 只接受 {allowed}，不接受 {method}",
    }


class RateLimitExceeded(RequestError):
    """A limit is exceeded. `scope` says which one; `limit`, `remaining` and `reset_s` give its state."""

    status = 429
    type = "rate_limit_exceeded"
    reason = "rate_limited"
    texts: ClassVar[Mapping[str, str]] = {"en": "The rate limit is exceeded", "zh": "超出限流限制"}


class InstancesLimited(RateLimitExceeded):
    """Every remaining instance has exceeded a limit of its own."""

    reason = "all_instances_limited"


class TokenMissing(RequestError):
    """The management API needs the admin token. Keyword: `path`."""

    status = 401
    type = "authentication_error"
    reason = "admin_token_required"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "{path} needs the admin token, in Authorization: Bearer or in X-Admin-Token",
        "zh": "{path} 需要管理令牌（Authorization: Bearer 或 X-Admin-Token）",
    }


class NotFromHere(RequestError):
    """Only programs on the gateway's own machine get this path. Keyword: `path`."""

    status = 403
    type = "permission_denied"
    reason = "own_machine_only"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "{path} is only available on the gateway's own machine",
        "zh": "{path} 仅限网关本机访问",
    }


class FromOtherSite(RequestError):
    """Web pages of other sites do not get this path. Keyword: `path`."""

    status = 403
    type = "permission_denied"
    reason = "cross_site"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "{path} is not available to pages of other sites; use the gateway's own address, or send the admin token",
        "zh": "{path} 不接受其他网站页面的请求；请使用网关自身的地址访问，或发送管理令牌",
    }


class ServiceUnavailable(RequestError):
    """No instance of the model could be reached. Keyword: `model`."""

    status = 503
    type = "service_unavailable"
    reason = "no_reachable_instance"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "No instance of model '{model}' can be reached",
        "zh": "模型 '{model}' 的所有实例均不可用",
    }


class InstancesDown(ServiceUnavailable):
    """Every remaining instance is down. Keyword: `model`."""

    reason = "all_instances_down"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "All instances of model '{model}' are down",
        "zh": "模型 '{model}' 的所有实例均已下线",
    }


class InstancesCooling(ServiceUnavailable):
    """Every remaining instance is cooling down: it asked for a pause with `Retry-After`. Keyword: `model`."""

    reason = "all_instances_cooling_down"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "All instances of model '{model}' are cooling down",
        "zh": "模型 '{model}' 的所有实例均处于冷却期",
    }


class InstancesFull(ServiceUnavailable):
    """Every remaining instance has all slots taken, and the queue is full or took too long. Keyword: `model`."""

    reason = "all_instances_full"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "All instances of model '{model}' are busy",
        "zh": "模型 '{model}' 的所有实例均繁忙",
    }


class CircuitBreakerOpen(ServiceUnavailable):
    """The circuit breaker of every remaining instance is open. Keyword: `model`."""

    type = "circuit_breaker_open"
    reason = "circuit_breaker_open"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "The circuit breakers of all instances of model '{model}' are open",
        "zh": "模型 '{model}' 的所有实例均处于熔断状态",
    }


class Degraded(ServiceUnavailable):
    """No instance can respond, and a fallback is configured. Keyword: `text`, or None."""

    reason = "degraded"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "Service is currently degraded, please try again later",
        "zh": "服务暂时降级，请稍后重试",
    }

    def __init__(self, *, text: str | None, cause: RequestError | None = None) -> None:
        self._text = text
        details = {**cause.details, "cause": cause.reason} if cause else {}
        super().__init__(details=details, retry_after_s=cause.retry_after_s if cause else None)

    def message(self, locale: str = "en") -> str:
        """Return the configured text in any locale, or ours in `locale`."""
        return self._text or super().message(locale)


class ShuttingDown(ServiceUnavailable):
    """The gateway shuts down, and the time for requests in flight is over."""

    type = "shutting_down"
    reason = "shutting_down"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "The gateway is shutting down; try again",
        "zh": "网关正在关闭，请重试",
    }

    def __init__(self) -> None:
        super().__init__(retry_after_s=1.0)  # by then another gateway responds, or this one has restarted
        self.headers["connection"] = "close"


class UpstreamError(RequestError):
    """The backend sent something other than HTTP, or closed the connection before a response. Keyword: `model`."""

    status = 502
    type = "upstream_error"
    reason = "upstream_broken_answer"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "The backend of model '{model}' did not send a valid response",
        "zh": "模型 '{model}' 的后端未返回有效响应",
    }


class UpstreamTruncated(UpstreamError):
    """The backend's response ended before it was complete. Keyword: `model`."""

    reason = "upstream_truncated"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "The response of model '{model}' was cut off by the backend",
        "zh": "模型 '{model}' 的响应被后端中断",
    }


class UpstreamUnsendable(UpstreamError):
    """The head of the backend's response cannot be forwarded. Keyword: `problem`."""

    reason = "upstream_unsendable_head"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "The head of the backend's response cannot be forwarded: {problem}",
        "zh": "无法转发后端响应的头部：{problem}",
    }


class UpstreamTimeout(RequestError):
    """The backend was too slow. Keywords: `model`, `timeout` (which of the named timeouts), `seconds`."""

    status = 504
    type = "upstream_timeout"
    reason = "upstream_timeout"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "The backend of model '{model}' did not respond in time ({timeout} timeout, {seconds:g} s)",
        "zh": "模型 '{model}' 的后端响应超时（{timeout}，{seconds:g} 秒）",
    }


class InternalError(RequestError):
    """A bug in the gateway; the log has the traceback under the request's id."""

    texts: ClassVar[Mapping[str, str]] = {
        "en": "Internal gateway error",
        "zh": "网关内部错误",
    }
