"""Other names of models: what clients ask for, what backends see, what is counted, and what lists show."""

from pathlib import Path
from typing import Any

import anthropic
import pytest

from tests.backend import answer, backend
from tests.process import Served, config, eventually, mock, run, sdk, serving

CONFIG = """
server: {{locale: en}}
model:
  aliases:
    gpt-4o: qwen
    "claude-*": qwen
    "*-nobody": missing
  services:
    chat:
      instances:
        - {{name: qwen, base-url: "{url}", speaks: [chat]}}
        - {{name: claude-own, base-url: "{url}"}}
    embedding:
      instances:
        - {{name: bge, base-url: "{url}"}}
"""


def test_what_a_client_asks_for(tmp_path: Path) -> None:
    """The backend gets its own name; translated answers carry the name that was asked for; a model comes first."""
    with mock("m") as (_, url), serving("--config", str(config(tmp_path, CONFIG.format(url=url)))) as served:
        http = anthropic.DefaultHttpxClient(trust_env=False)
        said: list[Any] = [{"role": "user", "content": "hi"}]
        with anthropic.Anthropic(base_url=served.url, api_key="k", max_retries=0, http_client=http) as client:
            for name in ("claude-any", "claude-own"):
                found = client.messages.create(model=name, max_tokens=9, messages=said)
                assert (found.model, found.content[0].type) == (name, "text")
            assert [one.id for one in client.models.list()] == ["qwen", "claude-own", "bge", "gpt-4o"]
            assert client.models.retrieve("claude-x").id == "claude-x"
            with pytest.raises(anthropic.NotFoundError, match="x-nobody"):
                client.messages.create(model="x-nobody", max_tokens=9, messages=said)
        with sdk(served) as plain:
            assert [one.id for one in plain.models.list()] == ["qwen", "claude-own", "bge", "gpt-4o"]
        eventually(lambda: counted(served) == {"qwen", "claude-own"})


def counted(served: Served) -> set[str]:
    """Return the models that are on the books."""
    return {row["modelName"] for row in served.get("/api/token-usage/recent").json()["data"]}


def test_the_name_in_the_body_is_the_models(tmp_path: Path) -> None:
    """Every other byte stays; the log and the books have the model."""
    body = '{ "model" : "gpt-4o", "messages": [ ], "x": 1.0 }'
    with (
        backend(answer({"choices": []})) as behind,
        serving("--config", str(config(tmp_path, CONFIG.format(url=behind.url)))) as served,
    ):
        served.post("/v1/chat/completions", content=body, headers={"content-type": "application/json"})
    assert behind.requests[0].body.decode() == body.replace("gpt-4o", "qwen")


def test_an_alias_is_of_a_service(tmp_path: Path) -> None:
    """One of a chat's model is none of an embedding's."""
    with mock("m") as (_, url), serving("--config", str(config(tmp_path, CONFIG.format(url=url)))) as served:
        refused = served.post("/v1/embeddings", json={"model": "gpt-4o", "input": "x"})
        shown = served.get("/v1/models/gpt-4o").json()
    assert (refused.status_code, shown["services"]) == (404, ["chat"])


def test_it_is_set_by_a_command(tmp_path: Path) -> None:
    """As a mapping."""
    file = config(tmp_path, "model: {services: {}}\n")
    run("--config", str(file), "config", "set", "model.aliases", "{claude-*: qwen}")
    assert "claude-*" in run("--config", str(file), "config", "get", "model.aliases").stdout
