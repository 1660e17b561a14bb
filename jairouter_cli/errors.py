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
    │   ├── RevisionCurrent
    │   └── ClientConfigChanged
    ├── ServeError                  the gateway could not be started
    │   ├── StateFull
    │   ├── StateFolderUnusable
    │   ├── StateUnusable
    │   ├── LogUnwritable
    │   └── TracingUnusable
    ├── ServiceManagerFailed        systemd or launchd did not do what it was told
    ├── BackendUnreachable          no backend responded
    ├── BackendUnknown              something responded that is no model server
    ├── Unreachable                 no gateway responded
    │   └── NotAGateway
    ├── NotTakenOver                the file was edited, but a running gateway does not use the edit
    ├── Answered                    a gateway responded with an error
    └── RequestError                the error that a client of the gateway gets: `request_errors.py`
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
        if "'\\t'" in problem:
            hint = "indent with spaces: YAML does not allow tabs"
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


class ClientConfigChanged(EditError):
    """Another program's file is no longer as `connect` wrote it. Keyword: `file`."""

    texts: ClassVar[Mapping[str, str]] = {"en": "{file} has changed since it was connected, and is left as it is"}


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


class ServiceManagerFailed(JAIRouterError):
    """systemd or launchd did not do what it was told. Keywords: `command`, `reason`."""

    texts: ClassVar[Mapping[str, str]] = {"en": "`{command}` failed: {reason}"}
    default_hint = "`jairouter service install --print` prints the file, to install it by hand"


class BackendUnreachable(JAIRouterError):
    """No backend responded. Keywords: `url`, `reason`."""

    texts: ClassVar[Mapping[str, str]] = {"en": "cannot reach a backend at {url}: {reason}"}


class BackendUnknown(JAIRouterError):
    """Something responded that is no model server, or wants a key. Keywords: `url`, `what`."""

    texts: ClassVar[Mapping[str, str]] = {"en": "no model server recognized at {url}: {what}"}


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
