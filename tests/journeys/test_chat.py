"""`jairouter chat` in pipes and in a terminal, through a real gateway."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pytest

from tests.backend import Backend, backend, raw
from tests.process import JAIROUTER, Served, config, eventually, run, services, serving
from tests.terminal import Terminal

HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


def event(**delta: Any) -> bytes:
    """Return an event of a stream."""
    return f"data: {json.dumps({'choices': [{'index': 0, 'delta': delta, 'finish_reason': None}]})}\n\n".encode()


def ended(reason: str) -> bytes:
    """Return the last events of a stream."""
    choice = {"index": 0, "delta": {}, "finish_reason": reason}
    return f"data: {json.dumps({'choices': [choice]})}\n\ndata: [DONE]\n\n".encode()


@contextmanager
def answering(folder: Path, *pieces: bytes, then: str = "fin") -> Iterator[tuple[Served, Backend]]:
    """Run a gateway whose one model sends these bytes."""
    with (
        backend(raw(HEAD, *pieces, then=then)) as behind,
        serving("--config", str(config(folder, services(chat=[behind.url])))) as served,
    ):
        yield served, behind


@pytest.fixture(scope="module")
def demo() -> Iterator[Served]:
    """Run the demo, whose model repeats what it is asked."""
    with serving("--demo") as served:
        yield served


@pytest.mark.parametrize(
    ("arguments", "piped", "answer"),
    [
        (("demo-chat", "hello"), "", "You said: hello\n"),
        ((), "piped in\n", "You said: piped in\n"),
        (("demo-chat", "Shorten this."), "a text", "You said: Shorten this.\n\na text\n"),
        (("demo-chat", "你好"), "", "You said: 你好\n"),
    ],
)
def test_one_question(demo: Served, arguments: tuple[str, ...], piped: str, answer: str) -> None:
    """It comes as argument, from a pipe, or both; the answer is all of the output."""
    done = run("chat", *arguments, "--url", f"{demo.url}/v1", stdin=piped)
    assert (done.returncode, done.stdout, done.stderr) == (0, answer, "")


def test_json(demo: Served) -> None:
    """One document, with what was counted."""
    told = json.loads(run("chat", "demo-chat", "hello", "--json", "--url", demo.url).stdout)
    assert told.keys() == {"model", "answer", "finishReason", "usage"}
    assert (told["model"], told["answer"], told["finishReason"]) == ("demo-chat", "You said: hello", "stop")
    assert told["usage"]["total_tokens"] > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("demo-cht", "x"), "the gateway has no chat model 'demo-cht'\n\nhint: did you mean demo-chat?"),
        (("zzz", "x"), "the gateway has no chat model 'zzz'\n\nhint: the chat models are demo-chat"),
        (("demo-chat",), "the question is empty"),
    ],
)
def test_what_is_refused(demo: Served, arguments: tuple[str, ...], said: str) -> None:
    """A model of another name, and a question that says nothing."""
    done = run("chat", *arguments, "--url", demo.url)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"error: {said}\n")


def test_several_models(tmp_path: Path) -> None:
    """A script has to name one."""
    text = services(chat=["http://127.0.0.1:9", "http://127.0.0.1:9"]).replace("name: m\n", "name: other\n", 1)
    with serving("--config", str(config(tmp_path, text))) as served:
        done = run("chat", "--url", served.url, stdin="x")
    assert (done.returncode, done.stderr) == (2, "error: name a model: other, m\n")


def test_no_gateway() -> None:
    """It has the exit code of a gateway that is not there."""
    assert run("chat", "m", "x", "--url", "http://127.0.0.1:1").returncode == 3


def test_what_a_model_thinks_is_no_answer(tmp_path: Path) -> None:
    """Neither are the characters that would steer a terminal."""
    pieces = (event(reasoning_content="hm"), event(content="a\x1b]0;x\x07b"), event(content="c"), ended("length"))
    with answering(tmp_path, *pieces) as (served, _):
        done = run("chat", "m", "x", "--url", served.url)
    warning = "warning: the answer was cut off because it reached the token limit\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, "a]0;xbc\n", warning)


def test_a_stream_that_breaks_off(tmp_path: Path) -> None:
    """What came is printed, and that it is not all is an error."""
    with answering(tmp_path, event(content="half")) as (served, _):
        done = run("chat", "m", "x", "--url", served.url)
    assert (done.returncode, done.stdout[:4]) == (1, "half")
    assert done.stderr.startswith("error: ")


def test_the_system_prompt_and_the_key_are_sent(tmp_path: Path) -> None:
    """The key comes from the environment."""
    with answering(tmp_path, event(content="ok"), ended("stop")) as (served, behind):
        run("chat", "m", "x", "--system", "Be brief.", "--url", served.url, env={"JAIROUTER_API_KEY": "sk-1"})
        [request] = behind.requests
    assert json.loads(request.body)["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "x"},
    ]
    assert request.header("authorization") == "Bearer sk-1"


@contextmanager
def talking(url: str, folder: Path, *arguments: str) -> Iterator[Terminal]:
    """Run `jairouter chat` in a terminal."""
    terminal = Terminal([*JAIROUTER, "chat", *arguments, "--url", url], 80, 24, XDG_STATE_HOME=str(folder))
    try:
        eventually(lambda: ">>> " in terminal.text or terminal.process.poll() is not None)
        yield terminal
    finally:
        if terminal.process.poll() is None:
            terminal.process.kill()
        terminal.process.wait()
        terminal.close()


def shows(terminal: Terminal, text: str) -> None:
    """Wait until a terminal has shown a text."""
    eventually(lambda: text in terminal.text)


def interrupted(terminal: Terminal, text: str) -> None:
    """Press Ctrl-C until a text is shown: the interpreter hears it with the next key if it has just read one."""
    for _ in range(10):
        terminal.interrupt()
        with suppress(AssertionError):
            eventually(lambda: text in terminal.text, 1)
            return
    raise AssertionError(terminal.text)


def test_a_conversation(demo: Served, tmp_path: Path) -> None:
    """Questions, commands, several lines; the lines are kept for next time, for this user alone."""
    with talking(demo.url, tmp_path) as terminal:
        shows(terminal, "model demo-chat; /help lists the commands")
        terminal.type("first\n")
        shows(terminal, "You said: first")
        for line, answer in (
            ("/model\n", "* demo-chat"),
            ("/model nope\n", "no chat model 'nope'"),
            ("/system Be brief.\n", "system prompt set"),
            ("/clear\n", "conversation cleared"),
            ("/wat\n", "unknown command '/wat'"),
            ("/help\n", "begin and end text of several lines"),
            ('"""one\n', "... "),
            ('two"""\n', "You said: one\r\ntwo"),
        ):
            terminal.type(line)
            shows(terminal, answer)
        terminal.type("half a line")
        shows(terminal, "half a line")
        interrupted(terminal, "/exit or Ctrl-D ends the conversation")
        terminal.type("\x04")
        assert terminal.end() == 0
    kept = tmp_path / "jairouter" / "chat-history"
    assert (kept.stat().st_mode & 0o777, "first" in kept.read_text()) == (0o600, True)


def test_ctrl_c_stops_the_answer(tmp_path: Path) -> None:
    """The backend is let go, and the conversation goes on with what came of the answer."""
    with (
        answering(tmp_path, event(content="half an answer"), then="wait") as (served, behind),
        talking(served.url, tmp_path) as terminal,
    ):
        terminal.type("first\n")
        shows(terminal, "half an answer")
        terminal.interrupt()
        shows(terminal, "(stopped)")
        assert behind.requests[0].gone.wait(10)
        terminal.type("second\n")
        said = json.loads(behind.wait_for(2)[1].body)["messages"]
        assert [one["content"] for one in said] == ["first", "half an answer", "second"]
        terminal.interrupt()
        eventually(lambda: terminal.text.count("(stopped)") == 2)
        terminal.type("/exit\n")
        assert terminal.end() == 0


def test_an_error_does_not_end_the_conversation(tmp_path: Path) -> None:
    """It is shown, and the question is forgotten."""
    file = config(tmp_path, services(chat=["http://127.0.0.1:9"]))
    with serving("--config", str(file)) as served, talking(served.url, tmp_path, "m") as terminal:
        terminal.type("first\n")
        shows(terminal, "error: ")
        terminal.type("/bye\n")
        assert terminal.end() == 0


@pytest.mark.parametrize("arguments", [("--json",), ("m", "--json")])
def test_json_is_not_for_a_conversation(demo: Served, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """It says what is needed instead."""
    terminal = Terminal([*JAIROUTER, "chat", *arguments, "--url", demo.url], 80, 24, XDG_STATE_HOME=str(tmp_path))
    try:
        assert terminal.process.wait(20) == 2
        shows(terminal, "a question is needed, as argument or on standard input")
    finally:
        terminal.close()
