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
    ├── ServeError                  the server could not be started
    │   ├── StateFull
    │   ├── StateFolderUnusable
    │   ├── StateUnusable
    │   ├── LogUnwritable
    │   └── TracingUnusable
    ├── Unreachable                 no gateway answered
    ├── NotTakenOver                the file was edited, and a gateway goes on without the edit
    ├── Answered                    a gateway answered with an error
    └── RequestError                what a client of the gateway is told
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

    `hint` is a sentence that says what to do next; it is shown by the CLI under the error.
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

    texts: ClassVar[Mapping[str, str]] = {"en": "no configuration file found; looked at:\n{searched}"}
    default_hint = "make one with `jairouter init`, or name one with --config FILE"


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
        "en": "{file}: {reason}; if that is meant, do it with a command (`jairouter instances remove`), or restart",
        "zh": "{file}: {reason}; 如果确实要这样修改, 请使用命令 (`jairouter instances remove`) 或重启网关",
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

    texts: ClassVar[Mapping[str, str]] = {"en": "cannot write {file}: {reason}; the file was left as it was"}
    default_hint = "check the permissions and the free space of the file's folder"


class ConfigLocked(StoreError):
    """Another process held the lock for too long. Keywords: `file`, `waited_s`."""

    texts: ClassVar[Mapping[str, str]] = {"en": "another process is editing {file} (waited {waited_s:g} s)"}
    default_hint = "try again when it has finished"


class ConfigExists(StoreError):
    """A file stands where a new one was to be written. Keyword: `file`."""

    texts: ClassVar[Mapping[str, str]] = {"en": "{file} exists already"}
    default_hint = "use --force to replace it, or --config FILE to write another"


class ForeignUnreadable(StoreError):
    """What another program keeps cannot be read."""

    texts: ClassVar[Mapping[str, str]] = {"en": "cannot read {file}: {reason}"}


class RevisionsUnreadable(StoreError):
    """A revision that is kept beside the file cannot be read."""

    texts: ClassVar[Mapping[str, str]] = {"en": "cannot read the revision {file}: {reason}"}
    default_hint = "remove that file if it was spoilt; the other revisions can be used without it"


class RevisionsUnwritable(StoreError):
    """The revision that an edit begins from cannot be kept, so the edit was not made."""

    texts: ClassVar[Mapping[str, str]] = {"en": "cannot keep revisions in {file}: {reason}; nothing was changed"}
    default_hint = "it has to be a folder in which whoever edits the configuration may write, with space left"


class UsageUnreadable(StoreError):
    """The ledger of tokens that is kept beside the file cannot be read."""

    texts: ClassVar[Mapping[str, str]] = {"en": "cannot read the usage in {file}: {reason}"}
    default_hint = "move that file away if it was spoilt: a running gateway makes a new one"


class EditError(JAIRouterError):
    """An edit does not fit the configuration it was made for."""

    exit_code = 2


class EditImpossible(EditError):
    """The file is written in a way that an edit cannot be spliced into. Keyword: `file`."""

    texts: ClassVar[Mapping[str, str]] = {"en": "{file} is written in a way that this edit does not fit into"}
    default_hint = "make the edit by hand, then run `jairouter config validate`"


class EditRefused(EditError):
    """The edit would leave a configuration that cannot be used."""

    texts: ClassVar[Mapping[str, str]] = {"en": "the edit was not made, for the file would be wrong: {listing}"}

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(listing="; ".join(problems))


class ServiceExists(EditError):
    """The service is there already. Keyword: `service`."""

    texts: ClassVar[Mapping[str, str]] = {"en": "there is a service {service} already"}


class ServiceNotFound(EditError):
    """There is no such service in the file. Keyword: `service`."""

    texts: ClassVar[Mapping[str, str]] = {"en": "there is no service {service} in the file"}
    default_hint = "`jairouter services add` makes one, as does adding an instance to it"


class InstanceNotFound(EditError):
    """No such instance. Keywords: `service`, `instance`, `candidates` (a phrase)."""

    texts: ClassVar[Mapping[str, str]] = {"en": "no instance '{instance}' in service {service}; {candidates}"}


class InstanceAmbiguous(EditError):
    """The name fits several instances. Keywords: `service`, `instance`, `candidates` (a phrase)."""

    texts: ClassVar[Mapping[str, str]] = {"en": "'{instance}' fits several instances of {service}; {candidates}"}
    default_hint = "give the whole id of the one you mean"


class InstanceExists(EditError):
    """The instance is there already. Keywords: `service`, `instance`."""

    texts: ClassVar[Mapping[str, str]] = {"en": "service {service} has an instance '{instance}' already"}
    default_hint = "remove it first, or edit it in the file"


class LimitNotFound(EditError):
    """There is no such limit. Keyword: `place`."""

    texts: ClassVar[Mapping[str, str]] = {"en": "there is no limit of {place}"}
    default_hint = "`jairouter limits list` shows those that there are"


class KeyNotFound(EditError):
    """The configuration has no such key. Keywords: `key`, `candidates` (a phrase)."""

    texts: ClassVar[Mapping[str, str]] = {"en": "there is no key '{key}'; {candidates}"}


class ConfigOutdated(EditError):
    """The file is another than the one that was expected. Keywords: `expected`, `found`."""

    exit_code = 1
    texts: ClassVar[Mapping[str, str]] = {"en": "the configuration was changed: expected {expected}, found {found}"}
    default_hint = "look at what was changed (`jairouter config diff`), then try again"


class RevisionNotFound(EditError):
    """There is no such revision. Keywords: `number`, `present` (a phrase)."""

    texts: ClassVar[Mapping[str, str]] = {"en": "there is no revision {number}; {present}"}


class RevisionCurrent(EditError):
    """The newest revision cannot be forgotten. Keyword: `number`."""

    texts: ClassVar[Mapping[str, str]] = {"en": "revision {number} is the current one"}


# --- running -------------------------------------------------------------------------------------------------------


class ServeError(JAIRouterError):
    """The server could not be started. Keyword: `message`."""


class StateFull(ServeError):
    """What the workers hold in common has no room for more. Keywords: `what`, `most`."""

    texts: ClassVar[Mapping[str, str]] = {"en": "there can be {most} {what} at once, and there are more"}


class StateFolderUnusable(ServeError):
    """The folder for what the workers hold in common cannot be used. Keywords: `folder`, `reason`."""

    texts: ClassVar[Mapping[str, str]] = {"en": "cannot keep the shared memory of the workers in {folder}: {reason}"}
    default_hint = "make room in it, or name another folder in the variable TMPDIR"


class StateUnusable(ServeError):
    """What `state.url` names cannot be used. Keyword: `problem`."""

    exit_code = 2
    texts: ClassVar[Mapping[str, str]] = {"en": "state.url cannot be used: {problem}"}


class LogUnwritable(ServeError):
    """The file of the access log cannot be opened. Keywords: `file`, `reason`."""

    exit_code = 2
    texts: ClassVar[Mapping[str, str]] = {"en": "logging.access.file: {file} cannot be written: {reason}"}
    default_hint = "make its folder, or let this user write to it; without logging.access.file lines go to stderr"


class TracingUnusable(ServeError):
    """What `tracing` asks for cannot be had. Keyword: `problem`."""

    exit_code = 2
    texts: ClassVar[Mapping[str, str]] = {"en": "tracing cannot be used: {problem}"}


class Unreachable(JAIRouterError):
    """No gateway answered. Keywords: `url`, `reason`."""

    exit_code = 3
    texts: ClassVar[Mapping[str, str]] = {"en": "no gateway answers at {url}: {reason}"}
    default_hint = "start it with `jairouter serve`, or name another with --url"


class NotTakenOver(JAIRouterError):
    """The file was edited, and workers of the gateway go on without the edit. Keywords: `waited_s`, `workers`."""

    texts: ClassVar[Mapping[str, str]] = {
        "en": "the edit was made, but after {waited_s:g} s these workers do not use it: {workers}"
    }
    default_hint = "look at the gateway's log, and whether it uses this file"


class Answered(JAIRouterError):
    """A gateway answered with an error. Keywords: `url`, `status`, `reason`."""

    texts: ClassVar[Mapping[str, str]] = {"en": "{url} answers {status}: {reason}"}


# --- what a client of the gateway is told ----------------------------------------------------------------------------


class RequestError(JAIRouterError):
    """What a client of the gateway is told (contract 1.10).

    `type` doubles as `code`; `reason` is the finer, stable name given in `details.reason`. `param` names the
    request's field at fault. `details` joins the error object's `details`. `retry_after_s` becomes `Retry-After`;
    `headers` are sent beside it.
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
    """The body is not what the endpoint takes. Keyword: `problem`."""

    status = 400
    type = "invalid_request"
    reason = "malformed_body"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "The request body is malformed: {problem}",
        "zh": "请求体格式错误: {problem}",
    }


class MissingParameter(InvalidRequest):
    """A field that the gateway needs is absent or empty. Keyword: `name`."""

    reason = "missing_parameter"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "The parameter '{name}' is required",
        "zh": "缺少必需参数: {name}",
    }

    def __init__(self, name: str) -> None:
        super().__init__(param=name, name=name)


class InvalidParameter(InvalidRequest):
    """A field has the wrong type. Keywords: `name`, `problem`."""

    reason = "invalid_parameter"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "The parameter '{name}' is invalid: {problem}",
        "zh": "参数 {name} 无效: {problem}",
    }

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(param=name, name=name, problem=problem)


class PayloadTooLarge(InvalidRequest):
    """The body is over the limit. Keywords: `limit_bytes`, `setting`."""

    status = 413
    reason = "payload_too_large"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "The request body is over the limit of {limit_bytes} bytes ({setting})",
        "zh": "请求体超过 {limit_bytes} 字节的上限 ({setting})",
    }


class BodyLate(InvalidRequest):
    """The body did not arrive in time. Keywords: `setting`, `seconds`."""

    status = 408
    reason = "body_timeout"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "The request body did not arrive in time ({setting}, {seconds:g} s)",
        "zh": "请求体未在规定时间内到达 ({setting}, {seconds:g} 秒)",
    }

    def __init__(self, *, setting: str, seconds: float) -> None:
        super().__init__(setting=setting, seconds=seconds)
        self.headers["connection"] = "close"  # the rest of the body may still come


class UnsupportedMediaType(InvalidRequest):
    """The content type is not one the endpoint takes. Keywords: `expected`, `found`."""

    status = 415
    reason = "unsupported_media_type"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "This endpoint takes {expected}, not '{found}'",
        "zh": "该接口需要 {expected}, 而不是 '{found}'",
    }


class EncodingUnsupported(InvalidRequest):
    """The body is packed in a way that cannot be unpacked. Keywords: `found`, `accepted` as in `Accept-Encoding`."""

    status = 415
    reason = "unsupported_content_encoding"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "The content encoding '{found}' is not supported; send the body plain, or as one of: {accepted}",
        "zh": "不支持内容编码 '{found}'; 请发送未压缩的请求体, 或使用: {accepted}",
    }

    def __init__(self, *, found: str, accepted: str) -> None:
        super().__init__(found=found, accepted=accepted)
        self.headers["accept-encoding"] = accepted


class HeaderUnreadable(InvalidRequest):
    """A header has a value that cannot be forwarded. Keyword: `name`."""

    reason = "invalid_header"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "The value of the header '{name}' is not ASCII and cannot be forwarded; send it percent-encoded",
        "zh": "请求头 '{name}' 的值含有非 ASCII 字符, 无法转发; 请使用百分号编码",
    }


class NotFound(RequestError):
    """What was asked for does not exist."""

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
        "zh": "路径不存在: {method} {path}",
    }


class MethodNotAllowed(RequestError):
    """The path exists, for other methods. Keywords: `method`, `path`, `allowed`."""

    status = 405
    type = "invalid_request"
    reason = "method_not_allowed"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "{path} takes {allowed}, not {method}",
        "zh": "{path} 只接受 {allowed}, 不接受 {method}",
    }


class RateLimitExceeded(RequestError):
    """A limit is reached. `scope` names which; `limit`, `remaining` and `reset_s` say how it stands."""

    status = 429
    type = "rate_limit_exceeded"
    reason = "rate_limited"
    texts: ClassVar[Mapping[str, str]] = {"en": "The rate limit is exceeded", "zh": "超出限流限制"}


class InstancesLimited(RateLimitExceeded):
    """Every instance that is left has reached a limit of its own."""

    reason = "all_instances_limited"


class TokenMissing(RequestError):
    """The management API asks for its token. Keyword: `path`."""

    status = 401
    type = "authentication_error"
    reason = "admin_token_required"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "{path} needs the admin token, in Authorization: Bearer or in X-Admin-Token",
        "zh": "{path} 需要管理令牌 (Authorization: Bearer 或 X-Admin-Token)",
    }


class NotFromHere(RequestError):
    """What was asked for is for programs on the gateway's own machine. Keyword: `path`."""

    status = 403
    type = "permission_denied"
    reason = "own_machine_only"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "{path} is only answered on the gateway's own machine",
        "zh": "{path} 仅限网关本机访问",
    }


class FromOtherSite(RequestError):
    """What was asked for is not for pages of other sites. Keyword: `path`."""

    status = 403
    type = "permission_denied"
    reason = "cross_site"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "{path} is not answered to pages of other sites; use the gateway's own address, or send the admin token",
        "zh": "{path} 不接受其他网站页面的请求; 请使用网关自身的地址访问, 或发送管理令牌",
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
    """Every instance that is left is known to be down. Keyword: `model`."""

    reason = "all_instances_down"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "All instances of model '{model}' are down",
        "zh": "模型 '{model}' 的所有实例均已下线",
    }


class InstancesCooling(ServiceUnavailable):
    """Every instance that is left has asked to be left alone for a while (`Retry-After`). Keyword: `model`."""

    reason = "all_instances_cooling_down"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "All instances of model '{model}' have asked to be left alone for a while",
        "zh": "模型 '{model}' 的所有实例均要求稍后重试",
    }


class InstancesFull(ServiceUnavailable):
    """Every slot of every instance that is left is taken, and there is no room or no time to wait. Keyword: `model`."""

    reason = "all_instances_full"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "All instances of model '{model}' are busy",
        "zh": "模型 '{model}' 的所有实例均繁忙",
    }


class CircuitBreakerOpen(ServiceUnavailable):
    """The circuit breaker of every instance that is left is open. Keyword: `model`."""

    type = "circuit_breaker_open"
    reason = "circuit_breaker_open"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "The circuit breakers of all instances of model '{model}' are open",
        "zh": "模型 '{model}' 的所有实例均处于熔断状态",
    }


class Degraded(ServiceUnavailable):
    """No instance can answer, and the configuration says what is told instead. Keyword: `text`, or None."""

    reason = "degraded"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "Service is currently degraded, please try again later",
        "zh": "服务暂时降级, 请稍后重试",
    }

    def __init__(self, *, text: str | None, cause: RequestError | None = None) -> None:
        self._text = text
        details = {**cause.details, "cause": cause.reason} if cause else {}
        super().__init__(details=details, retry_after_s=cause.retry_after_s if cause else None)

    def message(self, locale: str = "en") -> str:
        """Return the configured text in any locale, or ours in `locale`."""
        return self._text or super().message(locale)


class ShuttingDown(ServiceUnavailable):
    """The gateway shuts down, and the time that requests under way were given is over."""

    type = "shutting_down"
    reason = "shutting_down"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "The gateway is shutting down; try again",
        "zh": "网关正在关闭, 请重试",
    }

    def __init__(self) -> None:
        super().__init__(retry_after_s=1.0)  # by then another gateway, or this one anew, can be asked
        self.headers["connection"] = "close"


class UpstreamError(RequestError):
    """The backend answered with something that is not HTTP, or broke off before answering. Keyword: `model`."""

    status = 502
    type = "upstream_error"
    reason = "upstream_broken_answer"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "The backend of model '{model}' broke off before it answered",
        "zh": "模型 '{model}' 的后端在应答前中断",
    }


class UpstreamTruncated(UpstreamError):
    """The backend's answer ended before it was complete. Keyword: `model`."""

    reason = "upstream_truncated"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "The answer of model '{model}' was cut off by the backend",
        "zh": "模型 '{model}' 的应答被后端中断",
    }


class UpstreamUnsendable(UpstreamError):
    """The head of the backend's answer cannot be sent on. Keyword: `problem`."""

    reason = "upstream_unsendable_head"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "The head of the backend's answer cannot be sent on: {problem}",
        "zh": "无法转发后端应答的头部: {problem}",
    }


class UpstreamTimeout(RequestError):
    """The backend was too slow. Keywords: `model`, `timeout` (which of the named timeouts), `seconds`."""

    status = 504
    type = "upstream_timeout"
    reason = "upstream_timeout"
    texts: ClassVar[Mapping[str, str]] = {
        "en": "The backend of model '{model}' did not answer in time ({timeout} timeout, {seconds:g} s)",
        "zh": "模型 '{model}' 的后端应答超时 ({timeout}, {seconds:g} 秒)",
    }


class InternalError(RequestError):
    """A bug in the gateway; the log has the traceback under the request's id."""

    texts: ClassVar[Mapping[str, str]] = {
        "en": "Internal error of the gateway",
        "zh": "网关内部错误",
    }
