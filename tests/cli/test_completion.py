"""Completion: what is proposed, the scripts, and real shells that ask for it."""

import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jairouter_cli.cli.completion.shells import Shell, file_name, script
from tests.process import config, eventually, run, run_apart
from tests.terminal import Terminal

ROOT = Path(__file__).parents[2]
BREAKS = " \t\n\"'@><=;|&(:"  # bash's own
CONFIG = """\
server: {port: 8123}
model:
  load-balance: {type: random}
  services:
    chat:
      instances:
        - {name: "qwen:7b", base-url: "http://h1:9101"}
        - {name: "qwen:7b", base-url: "http://h2:9101"}
        - {name: llama, base-url: "http://h1:9102", headers: {authorization: s3cret}}
    embedding:
      instances:
        - {name: bge, base-url: "http://h3:9101"}
"""
QWEN = ["qwen:7b@http://h1:9101", "qwen:7b@http://h2:9101"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a configuration file."""
    return config(tmp_path, CONFIG)


def proposed(folder: Path, *words: str) -> tuple[str, list[str]]:
    """Return the kind of words that are proposed behind some words, as zsh and fish get it, and the words."""
    done = run("__complete", "zsh", *words, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    kind, *lines = done.stdout.splitlines()
    return kind, [line.partition("\t")[0] for line in lines]


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("instances remove |", ["chat", "embedding"]),
        ("instances remove chat |q", QWEN),
        ("instances update chat qwen:7b@http://h2|", QWEN[1:]),
        ("instances update embedding |", ["bge@http://h3:9101"]),
        ("limits set chat --instance |l", ["llama@http://h1:9102"]),
        ("limits show |", ["chat", "embedding"]),
        ("services remove |e", ["embedding"]),
        ("services add |rer", ["rerank"]),
        ("explain chat |", ["qwen:7b", "llama"]),
        ("explain embedding |", ["bge"]),
        ("explain nonsense |", []),
        ("chat |", ["qwen:7b", "llama"]),
        ("connect |cl", ["claude-code"]),
        ("connect codex --model |l", ["llama"]),
        ("services update chat --load-balance |ro", ["round-robin"]),
        ("services update chat --load-balance=ro|", ["--load-balance=round-robin"]),
        ("limits set chat --algorithm |LEAKY", ["leaky-bucket"]),
        ("config get |server.po", ["server.port"]),
        ("config get |mod", ["model."]),
        ("config get |model.services.chat.instances[", [f"model.services.chat.instances[{n}]." for n in range(3)]),
        ("config get |model.services.chat.instances[2].name", ["model.services.chat.instances[2].name"]),
        ("config unset |", ["server", "server.", "model", "model."]),
        ("config unset |server.", ["server.port"]),
        ("config set model.load-balance.type |ro", ["round-robin"]),
        ("config set server.route-header |", ["true", "false"]),
        ("config set server.port |", []),
        ("completion |", ["bash", "zsh", "fish", "powershell"]),
        ("|comp", ["completion"]),
        ("help |ver", ["version"]),
        ("help config |se", ["set"]),
        ("help health |", []),
        ("instances |", ["list", "add", "show", "enable", "disable", "update", "remove"]),
        ("health --js|", ["--json"]),
        ("nonsense |", []),
    ],
)
def test_what_is_proposed(typed: str, words: list[str], file: Path) -> None:
    """Values are those of the file; `|` is where the last word begins, or ends if it was typed."""
    before, _, after = typed.partition("|")
    line = (before + after).split(" ")
    assert proposed(file.parent, *line)[1] == words


def test_revisions(file: Path) -> None:
    """With what each did."""
    for port in ("8124", "8125"):
        run("config", "set", "server.port", port, cwd=file.parent)
    done = run("__complete", "fish", "config", "rollback", "", cwd=file.parent)
    assert done.stdout.splitlines()[:3] == ["words", "3\tset server.port to 8125", "2\tset server.port to 8124"]


@pytest.mark.parametrize("place", ["before", "of the group", "behind"])
def test_the_file_that_is_named(place: str, file: Path) -> None:
    """Wherever --config stands; and what it is to be is a file."""
    other = config(file.parent, CONFIG.replace("llama", "other"), "other.yaml")
    named = ["--config", str(other)]
    words = {
        "before": [*named, "instances", "remove", "chat"],
        "of the group": ["instances", *named, "remove", "chat"],
        "behind": ["instances", "remove", *named, "chat"],
    }
    assert proposed(file.parent, *words[place], "o")[1] == ["other@http://h1:9102"]
    assert proposed(file.parent, "instances", "--config", "")[0] == "files"


@pytest.mark.parametrize("text", [None, "model: [", "model: {services: {chat: {instances: [{name: x}]}}}"])
def test_without_a_usable_file(text: str | None, tmp_path: Path) -> None:
    """Nothing is proposed, nothing is said."""
    if text:
        config(tmp_path, text)
    env = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    done = run("__complete", "zsh", "instances", "remove", "chat", "", cwd=tmp_path, env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "words\n", "")


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["bash"], ["zsh"], ["powershell"]])
def test_a_script_that_passes_too_little(arguments: list[str]) -> None:
    """Gets the commands, or nothing."""
    done = run("__complete", *arguments)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("jairouter instances remove chat q", QWEN),
        ("jairouter instances remove chat qwen:", ["7b@http://h1:9101", "7b@http://h2:9101"]),
        ("jairouter instances remove chat qwen:7b@", ["@http://h1:9101", "@http://h2:9101"]),
        ("jairouter instances remove chat qwen:7b@http://h2", ["//h2:9101"]),
        ('jairouter instances remove chat "qwen:7b@http://h2', QWEN[1:]),
        ("jairouter services update chat --load-balance=ro", ["round-robin"]),
    ],
)
def test_bash_gets_what_it_replaces(line: str, words: list[str], file: Path) -> None:
    """It ends words at `:`, `=` and `@` as well, but for those in quotes."""
    done = run("__complete", "bash", line, BREAKS, cwd=file.parent)
    assert done.stdout.splitlines()[1:] == words


def test_powershell_marks_the_word_at_the_cursor(file: Path) -> None:
    """Because it passes on no empty arguments."""
    done = run("__complete", "powershell", "instances", "remove", ":", cwd=file.parent)
    assert done.stdout == "words\nchat\t\nembedding\t\n"


def test_no_secret_is_proposed(file: Path) -> None:
    """Nor is any in the help of a revision."""
    run("config", "set", "model.services.chat.instances[2].api-key", "t0p", cwd=file.parent)
    for words in (["config", "rollback", ""], ["config", "get", "model.services.chat.instances[2]."]):
        said = run("__complete", "zsh", *words, cwd=file.parent).stdout
        assert not re.search("s3cret|t0p", said)


@pytest.mark.parametrize("shell", Shell)
def test_scripts_are_current(shell: Shell) -> None:
    """`scripts/references` writes `completions/`, which packagers install from."""
    printed = run("completion", shell)
    assert (printed.returncode, printed.stderr) == (0, "")
    assert printed.stdout == script(shell) == (ROOT / "completions" / file_name(shell)).read_text("utf-8")


def test_it_is_quick(file: Path) -> None:
    """The best of three tries, many times as long as it takes on an idle machine."""
    taken = []
    for _ in range(3):
        start = time.monotonic()
        assert QWEN[0] in run_apart("__complete", "zsh", "instances", "remove", "chat", "", cwd=file.parent).stdout
        taken.append(time.monotonic() - start)
    assert min(taken) < 2


# --- real shells ---

# Has the terminal control the shell, as Ctrl-C needs it, and starts it in its home folder.
CONTROLLED = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.chdir(os.environ["HOME"])
os.execvp(sys.argv[1], sys.argv[1:])
"""
STARTS = {
    Shell.BASH: (["bash", "--norc", "--noprofile", "-i"], ""),
    Shell.ZSH: (["zsh", "-f", "-i"], "autoload -Uz compinit && compinit -u -D; "),
    Shell.FISH: (["fish", "--no-config", "-i"], ""),
}
INSTALLED = [shell for shell, (command, _) in STARTS.items() if shutil.which(command[0])]


@contextmanager
def shell_in(folder: Path, shell: Shell) -> Iterator[Terminal]:
    """Run a shell in a terminal, with the command on its path and its script read."""
    tool = folder / "jairouter"
    tool.write_text(f'#!/bin/sh\nexec {sys.executable} -m jairouter_cli "$@"\n')
    tool.chmod(0o755)
    command, before = STARTS[shell]
    environ = {"HOME": str(folder), "PATH": f"{folder}:/usr/bin:/bin", "PYTHONPATH": str(ROOT), "PS1": "$ "}
    terminal = Terminal([sys.executable, "-c", CONTROLLED, *command], 200, 40, **environ)
    try:
        source = ROOT / "completions" / file_name(shell)
        terminal.type(f"{before}source {source}; echo rea''dy\r")
        eventually(lambda: re.search(r"ready\r?\n", terminal.text), 20)
        yield terminal
    finally:
        terminal.process.kill()
        terminal.process.wait()
        terminal.close()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("jairouter instances remove embedding b", ["instances", "remove", "embedding", "bge@http://h3:9101"]),
        ("jairouter instances remove chat qwen:7b@http://h2", ["instances", "remove", "chat", QWEN[1]]),
        ("jairouter inst", ["instances"]),
        ("jairouter config get server.po", ["config", "get", "server.port"]),
        ("jairouter config get model.services.chat.instances[2].na", ["model.services.chat.instances[2].name"]),
        ("jairouter --config jairouter.y", ["--config", "jairouter.yaml"]),
    ],
)
@pytest.mark.parametrize("shell", INSTALLED)
def test_in_a_real_shell(shell: Shell, line: str, words: list[str], file: Path) -> None:
    """Tab completes the word, and the shell passes on what the file says."""
    with shell_in(file.parent, shell) as terminal:
        terminal.type(f"{line}\t")
        eventually(lambda: words[-1][-5:] in _plain(terminal.text), 20)  # zsh shows escapes before
        time.sleep(0.3)  # until the line is painted
        terminal.type("\x01printf '<%s>' \r")
        wanted = "".join(f"<{word}>" for word in words)
        eventually(lambda: wanted in _plain(terminal.text), 20)


@pytest.mark.parametrize("shell", INSTALLED)
def test_ctrl_c_while_a_shell_completes(shell: Shell, file: Path) -> None:
    """Shows no traceback, and the shell goes on."""
    with shell_in(file.parent, shell) as terminal:
        for _ in range(3):
            terminal.type("jairouter instances remove chat q\t")
            time.sleep(0.08)
            terminal.type("\x03")
            time.sleep(0.1)
        terminal.type("\x15  echo go''es on\r")  # bash itself may lose the key after a completion it has given up
        eventually(lambda: "goes on" in _plain(terminal.text), 20)
        assert "Traceback" not in terminal.text


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]|\x1b[()=>].?|[\r\n]", "", text)
