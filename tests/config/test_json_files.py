"""A configuration in JSON stays JSON, in its own indentation, whatever is edited."""

import json

import pytest

from jairouter_cli.config.document import Document
from jairouter_cli.config.kinds import Secret
from jairouter_cli.config.model import Instance, ServiceType
from jairouter_cli.config.ops import instances, limits, services
from jairouter_cli.config.ops.imports import replace_all
from jairouter_cli.config.ops.limits import LimitPlace
from jairouter_cli.config.ops.values import set_text, unset_value
from jairouter_cli.config.scalars import read_url
from jairouter_cli.errors import ConfigSyntaxError

DATA = {
    "server": {"port": 8123},
    "model": {"services": {"chat": {"instances": [{"name": "m", "base-url": "http://h"}]}}},
}
NEW = Instance(name="0123", base_url=read_url("http://n"), api_key=Secret('t"ü'))


@pytest.mark.parametrize("indent", [None, 2, 4, "\t"])
@pytest.mark.parametrize("end", ["", "\n"])
def test_every_edit(indent: int | str | None, end: str) -> None:
    """What was JSON is JSON, indented as it was."""
    text = json.dumps(DATA, indent=indent) + end
    document = Document.load(text, "jairouter.yaml")
    place = LimitPlace(ServiceType.CHAT)
    document = instances.add(document, ServiceType.CHAT, NEW).document
    document = instances.update(document, ServiceType.CHAT, "m@http://h", {"weight": 2}).document
    document = limits.set_limit(document, place, {"capacity": 3}).document
    document = services.add(document, ServiceType.TTS, {}).document
    document = set_text(document, "server.admin-token", "yes").document
    document = unset_value(document, "server.port").document
    document = limits.clear_limit(document, place).document
    document = instances.remove(document, ServiceType.CHAT, "m@http://h").document
    expected = {
        "server": {"admin-token": "yes"},
        "model": {
            "services": {
                "chat": {"instances": [{"name": "0123", "base-url": "http://n", "api-key": 't"ü'}]},
                "tts": {"instances": []},
            }
        },
    }
    assert (json.loads(document.text), document.text.endswith("\n")) == (expected, end == "\n")


def test_lines_stay_as_they_are() -> None:
    """Only what is new is added: on lines of its own where the others have such."""
    text = json.dumps({"server": {"port": 1}, "model": {"services": {"chat": {"instances": []}}}}, indent=2)
    edited = set_text(Document.load(text, "a.json"), "server.workers", "2").document
    edited = instances.add(edited, ServiceType.CHAT, NEW).document
    assert edited.text == text.replace('"port": 1', '"port": 1,\n    "workers": 2').replace(
        "[]", '[{"name": "0123", "base-url": "http://n", "api-key": "t\\"ü"}]'
    )
    assert unset_value(edited, "server.workers").document.text == edited.text.replace(',\n    "workers": 2', "")


@pytest.mark.parametrize("text", ["", "{}\n"])
def test_a_new_file(text: str) -> None:
    """An empty file is JSON if its name says so; elsewhere it becomes YAML."""
    edits = [set_text(Document.load(text, name), "server.port", "1").document.text for name in ("a.json", "a.yaml")]
    assert edits == ['{\n  "server": {\n    "port": 1\n  }\n}\n', "server:\n  port: 1\n"]


def test_yaml_is_not_json() -> None:
    """Flow style is YAML, and stays as it is, whatever the file is called; what replaces JSON becomes JSON."""
    flow = set_text(Document.load("{server: {port: 1}}\n", "a.json"), "server.port", "2").document
    assert flow.text == "{server: {port: 2}}\n"
    replaced = replace_all(Document.load('{"a":1}', "a.json"), "server: {port: 1} # x\n", "").document
    assert replaced.text == '{"server":{"port":1}}'


@pytest.mark.parametrize(("name", "text"), [("a.properties", "server.port=1\n"), ("a.toml", "[server]\nport = 1\n")])
def test_other_formats(name: str, text: str) -> None:
    """They are refused by name."""
    with pytest.raises(
        ConfigSyntaxError, match=rf"\(the configuration must be YAML or JSON; \.{name[2:]} is not supported\)"
    ):
        Document.load(text, name)
