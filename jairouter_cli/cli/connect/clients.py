"""The programs that can be pointed at the gateway: where their configuration is, and what has to be in it.

Each is set up as its own documentation says, with the least that it needs. A key is written where there is no way to
name the environment variable that holds it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from jairouter_cli.cli.connect.edits import Entry, with_entries, with_list_item
from jairouter_cli.cli.language import _
from jairouter_cli.cli.models import KEY_VARIABLE
from jairouter_cli.errors import UsageError

_NO_KEY: Final = "jairouter"  # programs that insist on a key get a word; the gateway looks at none
_NAME: Final = "jairouter"
_TITLE: Final = "JAiRouter"


class ClientName(StrEnum):
    """The programs, as the command names them."""

    CLAUDE_CODE = "claude-code"
    CODEX = "codex"
    COPILOT = "copilot"
    CONTINUE = "continue"
    OPENCODE = "opencode"
    OPEN_WEBUI = "open-webui"
    AIDER = "aider"


@dataclass(frozen=True, slots=True)
class GatewayAddress:
    """What a program is pointed at: an address without `/v1`, the model to begin with, all chat models, a key."""

    url: str
    model: str
    models: Sequence[str]
    key: str | None = None

    @property
    def sent_key(self) -> str:
        """The key, or a word for programs that insist on one."""
        return self.key or _NO_KEY


Environ = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Client:
    """A program: its name, what people call it, and how it is started once it is connected.

    `file` returns where its configuration is, `edited` what is to be in it, given what is there now ("" if nothing).
    One without a file is set up by the `variables` alone.
    """

    name: ClientName
    title: str
    start: str
    file: Callable[[Environ], Path] | None = None
    edited: Callable[[str, Path, GatewayAddress], str] | None = None
    variables: Callable[[GatewayAddress], dict[str, str]] | None = None


# --- Claude Code ---


def _claude_file(environ: Environ) -> Path:
    return _folder(environ, "CLAUDE_CONFIG_DIR", ".claude") / "settings.json"


def _claude(text: str, file: Path, gateway: GatewayAddress) -> str:
    model = gateway.model
    variables = {
        "ANTHROPIC_BASE_URL": gateway.url,
        "ANTHROPIC_AUTH_TOKEN": gateway.sent_key,
        "ANTHROPIC_MODEL": model,
        "ANTHROPIC_DEFAULT_OPUS_MODEL": model,
        "ANTHROPIC_DEFAULT_SONNET_MODEL": model,
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": model,
        "CLAUDE_CODE_SUBAGENT_MODEL": model,
        # a line at the head of the prompt that differs each time, so that backends could reuse no prefix
        "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",
    }
    return with_entries(text, file, [(("env", name), value) for name, value in variables.items()])


# --- Codex ---


def _codex_file(environ: Environ) -> Path:
    return _folder(environ, "CODEX_HOME", ".codex") / f"{_NAME}.config.toml"


def _codex(_text: str, _file: Path, gateway: GatewayAddress) -> str:
    """Return a profile: a file of its own, which Codex lays over the user's configuration."""
    key = f"env_key = {json.dumps(KEY_VARIABLE)}\n" if gateway.key else ""
    return (
        f"model = {json.dumps(gateway.model)}\n"
        f'model_provider = "{_NAME}"\n'
        f"\n[model_providers.{_NAME}]\n"
        f'name = "{_TITLE}"\n'
        f"base_url = {json.dumps(gateway.url + '/v1')}\n"
        f'wire_api = "responses"\n{key}'
    )


# --- opencode ---


def _opencode_file(environ: Environ) -> Path:
    folder = _folder(environ, "XDG_CONFIG_HOME", ".config") / "opencode"
    with_comments = folder / "opencode.jsonc"
    return with_comments if with_comments.exists() else folder / "opencode.json"


def _opencode(text: str, file: Path, gateway: GatewayAddress) -> str:
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": _TITLE,
        "options": {
            "baseURL": f"{gateway.url}/v1",
            "apiKey": f"{{env:{KEY_VARIABLE}}}" if gateway.key else _NO_KEY,
        },
        "models": {name: {"name": name} for name in gateway.models},
    }
    entries: list[Entry] = [(("provider", _NAME), provider), (("model",), f"{_NAME}/{gateway.model}")]
    if not text.strip():
        entries.insert(0, (("$schema",), "https://opencode.ai/config.json"))
    return with_entries(text, file, entries)


# --- Continue ---


def _continue_file(environ: Environ) -> Path:
    return _folder(environ, "CONTINUE_GLOBAL_DIR", ".continue") / "config.yaml"


def _continue(text: str, file: Path, gateway: GatewayAddress) -> str:
    old = file.with_name("config.json")
    if not text.strip() and old.exists():  # which Continue would no longer read
        message = _("{file} is in Continue's old format, and a new config.yaml would replace it").format(file=old)
        hint = _("move it to config.yaml first: https://docs.continue.dev/yaml-migration")
        raise UsageError(message=message, hint=hint)
    text = text if text.strip() else f"name: {_TITLE}\nversion: 0.0.1\nschema: v1\n"
    model = {
        "name": _TITLE,
        "provider": "openai",
        "model": gateway.model,
        "apiBase": f"{gateway.url}/v1",
        "apiKey": gateway.sent_key,
        "roles": ["chat", "edit", "apply"],
    }
    return with_list_item(text, file, "models", model, key="name")


# --- aider ---


def _aider_file(environ: Environ) -> Path:
    return _home(environ) / ".aider.conf.yml"


def _aider(text: str, file: Path, gateway: GatewayAddress) -> str:
    settings = {
        "model": f"openai/{gateway.model}",
        "openai-api-base": f"{gateway.url}/v1",
        "openai-api-key": gateway.sent_key,
    }
    return with_entries(text, file, [((name,), value) for name, value in settings.items()])


# --- those that are set up by variables ---


def _copilot(gateway: GatewayAddress) -> dict[str, str]:
    key = {"COPILOT_PROVIDER_API_KEY": gateway.key} if gateway.key else {}
    return {"COPILOT_PROVIDER_BASE_URL": f"{gateway.url}/v1", "COPILOT_MODEL": gateway.model, **key}


def _open_webui(gateway: GatewayAddress) -> dict[str, str]:
    return {
        "OPENAI_API_BASE_URL": f"{gateway.url}/v1",
        "OPENAI_API_KEY": gateway.sent_key,
        "ENABLE_OLLAMA_API": "false",
    }


def _home(environ: Environ) -> Path:
    return Path(environ.get("HOME") or Path.home())


def _folder(environ: Environ, variable: str, usual: str) -> Path:
    """Return a program's folder: the one that its variable names, or the usual one below the home folder."""
    return Path(environ[variable]) if environ.get(variable) else _home(environ) / usual


_ALL: Final[Sequence[Client]] = (
    Client(ClientName.CLAUDE_CODE, "Claude Code", "claude", _claude_file, _claude),
    Client(ClientName.CODEX, "Codex CLI", f"codex --profile {_NAME}", _codex_file, _codex),
    Client(ClientName.COPILOT, "GitHub Copilot CLI", "copilot", variables=_copilot),
    Client(ClientName.CONTINUE, "Continue", "cn", _continue_file, _continue),
    Client(ClientName.OPENCODE, "opencode", "opencode", _opencode_file, _opencode),
    Client(ClientName.OPEN_WEBUI, "Open WebUI", "open-webui serve", variables=_open_webui),
    Client(ClientName.AIDER, "aider", "aider", _aider_file, _aider),
)
CLIENTS: Final[Mapping[ClientName, Client]] = {client.name: client for client in _ALL}


def shown_settings(settings: Mapping[str, Any]) -> str:
    """Return variables as a POSIX shell sets them."""
    import shlex  # noqa: PLC0415 - only for those without a file

    return "".join(f"export {name}={shlex.quote(str(value))}\n" for name, value in settings.items())
