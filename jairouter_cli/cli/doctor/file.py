"""Checks the configuration file: whether it can be used, who can read it, and whether it can be changed."""

import os
import shlex
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from jairouter_cli.cli.doctor.finding import Finding, failed, ok, warning
from jairouter_cli.cli.doctor.setup import Setup
from jairouter_cli.cli.language import _, ngettext
from jairouter_cli.config import files, keeping, scalars
from jairouter_cli.config.document import Document
from jairouter_cli.config.doubt import instances
from jairouter_cli.config.masking import holds_secrets
from jairouter_cli.config.store import Loaded, Store
from jairouter_cli.errors import ConfigError, ConfigNotFound, JAIRouterError

_CHECK: Final = "config"
_SHOWN: Final = 20  # problems and notices of one file
_DEEPEST: Final = 64
_UNSET: Final = "the environment variable "


def unusable(error: JAIRouterError, file: Path | None, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield why there is no configuration."""
    why = _("the gateway does not start without a valid configuration")
    if isinstance(error, ConfigNotFound):
        yield failed(_CHECK, str(error), why=why, fix="jairouter init")
        return
    yield from _unset_variables(file, environ)
    problems = error.problems if isinstance(error, ConfigError) else ()
    shown = [one for one in problems if not one.expected.startswith(_UNSET)]
    for problem in shown[:_SHOWN]:
        place = f"{file}:{problem.line}" if problem.line else str(file)
        fix = _("edit {place}, then run `jairouter config validate`").format(place=place)
        text = f"{place}: {problem}" if problem.path else str(error)
        yield failed(_CHECK, text, why=why, fix=fix)
    if len(shown) > _SHOWN:
        text = _("{file} has {number} more problems").format(file=file, number=len(shown) - _SHOWN)
        yield failed(_CHECK, text, why=why, fix="jairouter config validate")
    if not problems:
        fix = error.hint or _("let this user read it: chmod u+r {file}").format(file=shlex.quote(str(file)))
        yield failed(_CHECK, str(error), why=why, fix=fix)


def _unset_variables(file: Path | None, environ: Mapping[str, str]) -> Iterator[Finding]:
    try:
        root = Document.load(files.read(file).decode(), str(file)).root if file else {}
    except (OSError, UnicodeDecodeError, JAIRouterError):
        return
    for name in sorted(set(_unset_in(root, environ, 0))):
        found = _("the environment variable {name} is not set, and {file} uses it").format(name=name, file=file)
        why = _("the gateway does not start without it; a service manager has an environment of its own")
        fix = _("export {name}=..., or write ${{{name}:}} in the file if it may be empty").format(name=name)
        yield failed("environment", found, why=why, fix=fix)


def _unset_in(node: Any, environ: Mapping[str, str], depth: int) -> Iterator[str]:
    """Yield the variables that the values below a node name, and that are not set."""
    if depth > _DEEPEST:
        return
    if isinstance(node, Mapping):
        for value in node.values():
            yield from _unset_in(value, environ, depth + 1)
    elif isinstance(node, str):
        try:
            scalars.expand(node, environ)
        except scalars.Unset as unset:
            yield str(unset)
        except scalars.Expected:  # reported with the other problems
            return
    elif isinstance(node, Sequence):
        for value in node:
            yield from _unset_in(value, environ, depth + 1)


def usable(setup: Setup, loaded: Loaded) -> Iterator[Finding]:
    """Yield what there is to say of a configuration that can be used."""
    number = instances(loaded.config)
    counted = ngettext("{number} instance", "{number} instances", number).format(number=number)
    yield ok(_CHECK, _("{file} is valid, with {instances}").format(file=loaded.file, instances=counted))
    if not number:
        yield warning(
            _CHECK,
            _("no instances are configured"),
            why=_("the gateway has no model to offer"),
            fix=setup.command("instances", "add", "chat", "MODEL", "BASE_URL"),
        )
    for notice in loaded.notices[:_SHOWN]:
        place = f"{loaded.file}:{notice.line}" if notice.line else str(loaded.file)
        yield warning(
            _CHECK,
            f"{place}: {notice.message}",
            why=_("the file does not say what it seems to say"),
            fix=setup.command("config", "edit"),
        )
    yield from _readers(loaded)
    yield from _changes(loaded)


def _readers(loaded: Loaded) -> Iterator[Finding]:
    if os.name == "nt" or not holds_secrets(loaded.document):
        return
    mode = stat.S_IMODE(loaded.file.stat().st_mode)
    if mode & stat.S_IROTH:
        yield warning(
            "permissions",
            _("{file} holds keys, and its mode {mode:o} lets every user of this machine read it").format(
                file=loaded.file, mode=mode
            ),
            why=_("whoever reads the keys can use the backends in your name"),
            fix=f"chmod 600 {shlex.quote(str(loaded.file))}",
        )
    else:
        yield ok("permissions", _("{file} holds keys, and other users cannot read it").format(file=loaded.file))


def _changes(loaded: Loaded) -> Iterator[Finding]:
    store = Store(loaded.file)
    target, why = loaded.file.resolve(), _("commands and the management API cannot change the configuration")
    quoted = shlex.quote(str(target.parent))
    try:
        store.check_editable()
    except JAIRouterError as error:
        fix = f"chmod u+w {shlex.quote(str(target))} {quoted}" if error.hint is None else error.hint
        if str(error.params.get("reason")) in {"it is read-only", "its folder is read-only"}:
            fix = _("if it is not mounted from elsewhere: {command}").format(
                command=f"chmod u+w {shlex.quote(str(target))} {quoted}"
            )
        yield warning("permissions", str(error), why=why, fix=fix)
        return
    if not os.access(target.parent, os.W_OK | os.X_OK):
        text = _("this user cannot write to {folder}").format(folder=target.parent)
        yield warning("permissions", text, why=why, fix=f"sudo chown $(id -un) {quoted}")
    kept = _existing(store.history.folder)
    if keeping.is_read_only(kept) or not os.access(kept, os.W_OK | os.X_OK):
        yield warning(
            "permissions",
            _("revisions cannot be saved: this user cannot write to {folder}").format(folder=kept),
            why=_("edits are refused, because they could not be undone"),
            fix=_("export JAIROUTER_STATE_DIR=FOLDER with a folder that it can write to"),
        )


def _existing(folder: Path) -> Path:
    """Return the nearest folder that exists: the one in which a missing one would be created."""
    return next((place for place in (folder, *folder.parents) if place.is_dir()), folder)
