"""Every error a user can meet, in one tree.

Lives here: the classes, and per class its HTTP status, `type`/`code`, exit code and texts.
Must not live here: anything that catches. Two places catch the root: `cli/app.py` and `web/errors.py`.

    JAIRouterError
    ├── UsageError                  the command line was misused
    ├── ConfigError                 the configuration cannot be used as it is
    │   ├── ConfigNotFound
    │   ├── ConfigSyntaxError
    │   ├── ConfigInvalid
    │   └── ConfigDoubtful
    ├── StoreError                  the configuration file could not be read or written
    │   ├── ConfigUnreadable
    │   ├── ConfigUnwritable
    │   ├── ConfigLocked
    │   ├── ConfigExists
    │   ├── ForeignUnreadable
    │   ├── RevisionsUnreadable
    │   ├── RevisionsUnwritable
    │   └── UsageUnreadable
    ├── EditError                   an edit does not fit the configuration it was made for
    │   ├── EditImpossible
    │   ├── EditRefused
    │   ├── ServiceExists
    │   ├── ServiceNotFound
    │   ├── InstanceNotFound
    │   ├── InstanceAmbiguous
    │   ├── InstanceExists
    │   ├── LimitNotFound
    │   ├── KeyNotFound
    │   ├── ConfigOutdated
    │   ├── RevisionNotFound
    │   └── RevisionCurrent
    ├── ServeError                  the gateway could not be started
    │   ├── StateFull
    │   ├── StateFolderUnusable
    │   ├── StateUnusable
    │   ├── LogUnwritable
    │   └── TracingUnusable
    ├── Unreachable                 no gateway responded
    │   └── NotAGateway
    ├── NotTakenOver                the file was edited, but a running gateway does not use the edit
    ├── Answered                    a gateway responded with an error
    └── RequestError                the error that a client of the gateway gets
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
from dataclasses import dataclass
from typing import ClassVar


class JAIRouterError(Exception):
    """The root. `texts` holds one `str.format` template per language, filled with the constructor's keywords.

    `hint` says what to do next; the CLI shows it below the error.
    """

    exit_code: ClassVar[int] = 1
    texts: ClassVar[Mapping[str, str]] = {"en": "{message}"}
    default_hint: ClassVar[str | None] = None

    def __init__(self, *, hint: str | None = None, **params: object) -> None:
        self.params = params
        self.hint = hint or self.default_hint
        super().__init__(self.message())

    def message(self, locale: str = "en") -> str:
        """Return the text in `locale` (`en`, `zh`), in English where the class has no other."""
        return self.texts.get(locale, self.texts["en"]).format(**self.params)


class UsageError(JAIRouterError):
    """The command line was misused. Keyword: `message`."""

    exit_code = 2


# --- configuration -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a configuration file.

    `path` is dotted (`model.services.chat.instances[0].weight`); `line` counts from 1 and is 0 where there is none.
    """

    path: str
    line: int
    expected: str
    found: str = ""

    def __str__(self) -> str:
        found = f", found {self.found}" if self.found else ""
        return f"{self.path}: expected {self.expected}{found}"


class ConfigError(JAIRouterError):
    """The configuration cannot be used as it is; `problems` lists what is wrong with `file`, as far as it was read."""

    exit_code = 2
    file: str = ""
    problems: tuple[Problem, ...] = ()


class ConfigNotFound(ConfigError):
    """No configuration file was found. Keyword: `searched`, the places in order, one a line."""

    texts: ClassVar[Mapping[str, str]] = {"en": "no configuration file found; searched:\n{searched}"}
    default_hint = "run `jairouter init` to create one, or use --config FILE"


class ConfigSyntaxError(ConfigError):
    """The file is not YAML. Keywords: `file`, `line`, `problem`."""

    texts: ClassVar[Mapping[str, str]] = {"en": "{file}:{line}: not valid YAML: {problem}"}

    def __init__(self, *, file: str, line: int, problem: str, hint: str | None = None) -> None:
        self.file = file
        self.problems = (Problem("", line, "valid YAML", problem),)
        super().__init__(file=file, line=line, problem=problem, hint=hint)


class ConfigInvalid(ConfigError):
    """The file is YAML, but some of its values are wrong; all of them are listed."""

    texts: ClassVar[Mapping[str, str]] = {"en": "{listing}"}

    def __init__(self, file: str, problems: Sequence[Problem], hint: str | None = None) -> None:
        self.file = file
        self.problems = tuple(problems)
        super().__init__(listing="\n".join(f"{file}:{p.line}: {p}" for p in self.problems), hint=hint)


class ConfigDoubtful(ConfigError):
    """The file could be used, but looks like one that was emptied or cut off. Keywords: `file`, `reason`, `digest`."""

    texts: ClassVar[Mapping[str, str]] = {
        "en": "{file}: {reason}; if this is intended, use `jairouter instances remove`, or restart the gateway",
        "zh": "{file}：{reason}；如果确实要这样修改，请使用命令（`jairouter instances remove`）或重启网关",
    }

    def __init__(self, *, file: str, reason: str, digest: str) -> None:
        self.file = file
        super().__init__(file=file, reason=reason, digest=digest)


class StoreError(JAIRouterError):
    """The configuration file could not be read or written. Keywords: `file`, `reason`."""


class ConfigUnreadable(StoreError):
    """The file exists and cannot be read."""

    texts: ClassVar[Mapping[str, str]] = {"en": "cannot read {file}: {reason}"}


class ConfigUnwritable(StoreError):
    """The file could not be replaced; it is as it was before."""

    texts: ClassVar[Mapping[str, str]] = {"en": "cannot write {file}: {reason}; the file was not changed"}
    default_hint = "check the permissions and the free space of its folder"


class ConfigLocked(StoreError):
    """Another process held the lock for too long. Keywords: `file`, `waited_s`."""

    texts: ClassVar[Mapping[str, str]] = {"en": "{file} is being edited by another process (waited {waited_s:g} s)"}
    default_hint = "try again when that process has finished"


class ConfigExists(StoreError):
    """The file to be created exists already. Keyword: `file`."""

    texts: ClassVar[Mapping[str, str]] = {"en": "{file} already exists"}
    default_hint = "use --force to overwrite it, or --config FILE to create another"


class ForeignUnreadable(StoreError):
    """A file of another program cannot be read."""

    texts: ClassVar[Mapping[str, str]] = {"en": "cannot read {file}: {reason}"}


class RevisionsUnreadable(StoreError):
    """A revision of the configuration file cannot be read."""

    texts: ClassVar[Mapping[str, str]] = {"en": "cannot read revision {file}: {reason}"}
    default_hint = "if the file is damaged, remove it; the other revisions do not need it"


class RevisionsUnwritable(StoreError):
    """The revision before an edit cannot be saved, so the edit was not made."""

    texts: ClassVar[Mapping[str, str]] = {"en": "cannot save revisions in {file}: {reason}; nothing was changed"}
    default_hint = "it must be a folder that everyone who edits the configuration can write to, with free space"


class UsageUnreadable(StoreError):
    """The usage file cannot be read."""

    texts: ClassVar[Mapping[str, str]] = {"en": "cannot read the usage file {file}: {reason}"}
    default_hint = "if the file is damaged, move it away; a running gateway creates a new one"


class EditError(JAIRouterError):
    """An edit does not fit the configuration it was made for."""

    exit_code = 2


class EditImpossible(EditError):
    """The file has a form that cannot be edited in place. Keyword: `file`."""

    texts: ClassVar[Mapping[str, str]] = {"en": "{file} has a form that this edit cannot be made in"}
    default_hint = "make the edit by hand, then run `jairouter config validate`"


class EditRefused(EditError):
    """The edit would leave a configuration that cannot be used."""

    texts: ClassVar[Mapping[str, str]] = {
        "en": "the edit was not made because the file would become invalid: {listing}"
    }

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(listing="; ".join(problems))


class ServiceExists(EditError):
    """The service is there already. Keyword: `service`."""

    texts: ClassVar[Mapping[str, str]] = {"en": "service {service} already exists"}


class ServiceNotFound(EditError):
    """There is no such service in the file. Keyword: `service`."""

    texts: ClassVar[Mapping[str, str]] = {"en": "no service {service} in the file"}
    default_hint = "run `jairouter services add` to add it, or add an instance to it"


class InstanceNotFound(EditError):
    """No such instance. Keywords: `service`, `instance`, `candidates` (a phrase)."""

    texts: ClassVar[Mapping[str, str]] = {"en": "no instance '{instance}' in service {service}; {candidates}"}


class InstanceAmbiguous(EditError):
    """The name matches several instances. Keywords: `service`, `instance`, `candidates` (a phrase)."""

    texts: ClassVar[Mapping[str, str]] = {
        "en": "'{instance}' matches several instances of service {service}; {candidates}"
    }
    default_hint = "use the full id: MODEL@BASE_URL"


class InstanceExists(EditError):
    """The instance is there already. Keywords: `service`, `instance`."""

    texts: ClassVar[Mapping[str, str]] = {"en": "service {service} already has an instance '{instance}'"}
    default_hint = "remove it first, or use `jairouter instances update`"


class LimitNotFound(EditError):
    """There is no such limit. Keyword: `place`."""

    texts: ClassVar[Mapping[str, str]] = {"en": "no limit is set for {place}"}
    default_hint = "`jairouter limits list` shows the existing limits"


class KeyNotFound(EditError):
    """The configuration has no such key. Keywords: `key`, `candidates` (a phrase)."""

    texts: ClassVar[Mapping[str, str]] = {"en": "unknown key '{key}'; {candidates}"}


class ConfigOutdated(EditError):
    """The file is not at the expected revision. Keywords: `expected`, `found`."""

    exit_code = 1
    texts: ClassVar[Mapping[str, str]] = {"en": "the configuration has changed: expected {expected}, found {found}"}
    default_hint = "see what has changed with `jairouter config diff`, then try again"


class RevisionNotFound(EditError):
    """There is no such revision. Keywords: `number`, `present` (a phrase)."""

    texts: ClassVar[Mapping[str, str]] = {"en": "no revision {number}; {present}"}


class RevisionCurrent(EditError):
    """The newest revision cannot be removed. Keyword: `number`."""

    texts: ClassVar[Mapping[str, str]] = {"en": "revision {number} is the current one and cannot be removed"}


# --- running -------------------------------------------------------------------------------------------------------


class ServeError(JAIRouterError):
    """The gateway could not be started. Keyword: `message`."""


class StateFull(ServeError):
    """The shared memory of the workers has no room for more. Keywords: `what`, `most`."""

    texts: ClassVar[Mapping[str, str]] = {"en": "too many {what}: at most {most} are supported"}


class StateFolderUnusable(ServeError):
    """The folder for the shared memory of the workers cannot be used. Keywords: `folder`, `reason`."""

    texts: ClassVar[Mapping[str, str]] = {"en": "cannot create the shared memory of the workers in {folder}: {reason}"}
    default_hint = "free some space in it, or set TMPDIR to another folder"


class StateUnusable(ServeError):
    """The Redis server of `state.url` cannot be used. Keyword: `problem`."""

    exit_code = 2
    texts: ClassVar[Mapping[str, str]] = {"en": "state.url cannot be used: {problem}"}


class LogUnwritable(ServeError):
    """The file of the access log cannot be opened. Keywords: `file`, `reason`."""

    exit_code = 2
    texts: ClassVar[Mapping[str, str]] = {"en": "logging.access.file: cannot write {file}: {reason}"}
    default_hint = "create its folder, or give this user write access; without logging.access.file, lines go to stderr"


class TracingUnusable(ServeError):
    """Traces cannot be sent as `tracing` says. Keyword: `problem`."""

    exit_code = 2
    texts: ClassVar[Mapping[str, str]] = {"en": "tracing cannot be used: {problem}"}


class Unreachable(JAIRouterError):
    """No gateway responded. Keywords: `url`, `reason`."""

    exit_code = 3
    texts: ClassVar[Mapping[str, str]] = {"en": "cannot reach a gateway at {url}: {reason}"}
    default_hint = "start one with `jairouter serve`, or use --url to name another"


class NotAGateway(Unreachable):
    """Something else than a gateway responded. Keywords: `url`, `reason`."""

    texts: ClassVar[Mapping[str, str]] = {"en": "{url} responds, but is not a JAiRouter gateway: {reason}"}


class NotTakenOver(JAIRouterError):
    """The file was edited, but workers of the gateway do not use the edit. Keywords: `waited_s`, `workers`."""

    texts: ClassVar[Mapping[str, str]] = {
        "en": "the file was edited, but after {waited_s:g} s these workers do not use the edit: {workers}"
    }
    default_hint = "check the gateway's log, and whether the gateway uses this file"


class Answered(JAIRouterError):
    """A gateway responded with an error. Keywords: `url`, `status`, `reason`."""

    texts: ClassVar[Mapping[str, str]] = {"en": "{url} responded with HTTP {status}: {reason}"}


# --- errors that clients of the gateway get --------------------------------------------------------------------------


class RequestError(JAIRouterError):
    """The error that a client of the gateway gets.

    `type` is also the `code`; `reason` is the finer, stable name in `details.reason`. `param` names the field of the
    request that is wrong. `details` is added to the error object's `details`. `retry_after_s` becomes `Retry-After`;
    `headers` are sent as well.
    """

    status: ClassVar[int] = 500
    type: ClassVar[str] = "internal_error"
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
    """No enabled instance of the service has that model name. Keywords: `model`, `service`."""

    reason = "model_not_found"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "No instances found for model '{model}' in service type '{service}'",
        "zh": "服务类型 '{service}' 中没有模型 '{model}' 的可用实例",
    }


class RouteNotFound(NotFound):
    """The gateway has no such path. Keywords: `method`, `path`."""

    reason = "route_not_found"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "No such path: {method} {path}",
        "zh": "路径不存在：{method} {path}",
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
