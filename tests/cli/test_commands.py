"""The commands as a person types them: what they print where, and how they exit."""

import json
from importlib import metadata
from pathlib import Path

import pytest

from jairouter_cli.routing import table
from tests.process import config, run

CHAT = """\
# my models
model:
  services:
    chat: # the talkers
      instances:
        - name: qwen # the small one
          base-url: http://10.0.0.1:8000
          api-key: s3cret
"""


EXISTS = """\
error: service chat already has an instance 'qwen@http://10.0.0.1:8000'

hint: remove it first, or use `jairouter instances update`
"""
NO_SUCH_SERVICE = """\
error: unknown service 'chatt'

hint: did you mean chat?
"""
REFUSED = "error: the edit was not made because the file would become invalid: model.services.chat.instances[1]"
URL = "http://10.0.0.7:8000"
READ_ONLY = """\
error: cannot write {file}: it is read-only; the file was not changed

hint: change it at its source (a ConfigMap, for example), or make it writable; a running gateway loads the change
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a configuration file in a folder of its own."""
    return config(tmp_path, CHAT)


def clean(folder: Path) -> dict[str, str]:
    """Return an environment without a home, a configuration, or colours."""
    return {"HOME": str(folder / "nobody"), "XDG_CONFIG_HOME": "", "JAIROUTER_CONFIG": "", "NO_COLOR": "1"}


def test_help_names_every_command() -> None:
    """The way in."""
    done = run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for command in ("init", "serve", "health", "top", "instances", "limits", "config", "mock"):
        assert f"  {command}" in done.stdout


def test_version() -> None:
    """Name, number, and the form in which it runs, as the modules themselves tell it."""
    done = run("--version")
    said = "pure Python" if str(table.__file__).endswith(".py") else "compiled"
    assert (done.returncode, done.stdout) == (0, f"jairouter {metadata.version('jairouter')} ({said})\n")


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["instances", "ad"], ["serve", "--prot", "1"], ["instances", "add", "chat"]]
)
def test_misuse_exits_with_2(arguments: list[str]) -> None:
    """The message goes to stderr, nothing to stdout."""
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr


def test_init_then_add_then_list_then_remove(tmp_path: Path) -> None:
    """The way of a new user, with nothing there before."""
    environ = clean(tmp_path)
    assert run("init", cwd=tmp_path, env=environ).stdout == f"{tmp_path}/jairouter.yaml\n"
    template = (tmp_path / "jairouter.yaml").read_text()
    added = run("instances", "add", "image", "flux", "http://10.0.0.2:80/", "--weight", "2", cwd=tmp_path, env=environ)
    assert (added.stdout, added.stderr) == ("added instance flux@http://10.0.0.2:80 to service imgGen\n", "")
    text = (tmp_path / "jairouter.yaml").read_text()
    kept = template.replace("  services: {}\n", "")
    assert all(line in text for line in kept.splitlines())
    listed = run("instances", "list", cwd=tmp_path, env=environ)
    assert [line.split() for line in listed.stdout.splitlines()] == [
        ["SERVICE", "MODEL", "BASE", "URL", "PATH", "WEIGHT", "ADAPTER", "STATE"],
        ["imgGen", "flux", "http://10.0.0.2:80", "-", "2", "-", "enabled"],
    ]
    removed = run("instances", "remove", "imgGen", "flux@http://10.0.0.2:80", cwd=tmp_path, env=environ)
    assert removed.stdout == "removed instance flux@http://10.0.0.2:80 from service imgGen\n"
    assert run("instances", "list", cwd=tmp_path, env=environ).stdout.startswith(
        "no instances; add those of a backend with"
    )


def test_init_keeps_what_is_there(file: Path) -> None:
    """Unless it is told to replace it."""
    done = run("init", "--config", str(file))
    assert (done.returncode, done.stderr) == (
        1,
        f"error: {file} already exists\n\nhint: use --force to overwrite it, or --config FILE to create another\n",
    )
    assert file.read_text() == CHAT
    assert run("init", "--force", "--config", str(file)).returncode == 0
    assert file.read_text() != CHAT


def test_every_field_of_an_instance_can_be_given(file: Path) -> None:
    """And is written as it would be by hand."""
    options = "--weight 3 --path /x/chat/completions --adapter VLLM --api-key ${K:k} --header X-A=1 --header X-B=a=b"
    done = run("instances", "add", "chat", "m", "http://h", *options.split(), "--disabled", "-c", str(file))
    assert done.returncode == 0
    assert file.read_text() == CHAT + (
        "        - name: m\n          base-url: http://h\n          path: /x/chat/completions\n          weight: 3\n"
        "          enabled: false\n          adapter: vllm\n          api-key: ${K:k}\n"
        "          headers:\n            X-A: '1'\n            X-B: a=b\n"
    )


def test_json_everywhere(file: Path) -> None:
    """One document on stdout, secrets masked."""
    added = run("instances", "add", "tts", "m", "http://h", "--json", "--config", str(file))
    assert json.loads(added.stdout) == {
        "file": str(file),
        "summary": "added instance m@http://h to service tts",
        "service": "tts",
        "instance": "m@http://h",
        "revision": 2,
        "atNextStart": [],
        "notices": [],
    }
    listed = json.loads(run("instances", "list", "chat", "--json", "--config", str(file)).stdout)
    assert listed == [
        {
            "service": "chat",
            "id": "qwen@http://10.0.0.1:8000",
            "name": "qwen",
            "baseUrl": "http://10.0.0.1:8000",
            "weight": 1,
            "enabled": True,
            "apiKey": "******",
            "headers": {},
            "priority": 0,
        }
    ]
    assert json.loads(run("config", "path", "--json", "--config", str(file)).stdout) == {"path": str(file)}
    valid = json.loads(run("config", "validate", "--json", "--config", str(file)).stdout)
    assert (valid["valid"], valid["services"], valid["instances"]) == (True, 2, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["add", "chat", "qwen", "http://10.0.0.1:8000/"], EXISTS),
        (["add", "chatt", "m", "http://h"], NO_SUCH_SERVICE),
        (
            ["add", "chat", "m", "10.0.0.1:8000"],
            (
                f"{REFUSED}.base-url: expected an http:// or https:// URL; did you mean http://10.0.0.1:8000?, "
                "found '10.0.0.1:8000'\n"
            ),
        ),
        (
            ["add", "chat", "m", "http://h", "--weight", "0"],
            f"{REFUSED}.weight: expected a number greater than 0, found 0\n",
        ),
        (["add", "chat", "m", "http://h", "--header", "x"], "error: --header: expected NAME=VALUE, found 'x'\n"),
        (
            ["remove", "chat", "qwem"],
            "error: no instance 'qwem' in service chat; closest matches: qwen@http://10.0.0.1:8000\n",
        ),
    ],
)
def test_a_bad_edit_changes_nothing_and_says_why(file: Path, arguments: list[str], message: str) -> None:
    """Exit code 2; the file as it was."""
    done = run("instances", *arguments, "--config", str(file))
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message.format(file=file))
    assert file.read_text() == CHAT


def test_where_the_file_is_looked_for(tmp_path: Path) -> None:
    """--config behind or before the command, JAIROUTER_CONFIG, the working folder, the user's folder."""
    environ = clean(tmp_path)
    user = tmp_path / "user" / "jairouter"
    user.mkdir(parents=True)
    (user / "jairouter.yaml").touch()
    environ["XDG_CONFIG_HOME"] = str(tmp_path / "user")

    def found(*arguments: str, **more: str) -> str:
        return run(*arguments, cwd=tmp_path, env={**environ, **more}).stdout.strip()

    assert found("config", "path") == str(user / "jairouter.yaml")
    for name in ("jairouter.yml", "jairouter.yaml", "env.yaml", "option.yaml"):
        (tmp_path / name).touch()
    assert found("config", "path") == str(tmp_path / "jairouter.yaml")
    assert found("config", "path", JAIROUTER_CONFIG="env.yaml") == str(tmp_path / "env.yaml")
    assert found("config", "path", "--config", "option.yaml", JAIROUTER_CONFIG="env.yaml") == str(
        tmp_path / "option.yaml"
    )
    assert found("--config", "option.yaml", "config", "path") == str(tmp_path / "option.yaml")


@pytest.mark.parametrize("command", [["serve"], ["instances", "list"], ["config", "show"]])
def test_no_file_at_all(tmp_path: Path, command: list[str]) -> None:
    """All the places are named, and what to do."""
    done = run(*command, cwd=tmp_path, env=clean(tmp_path))
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: no configuration file found; searched:\n  {tmp_path}/jairouter.yaml\n")
    assert "hint: run `jairouter init` to create one" in done.stderr


def test_show_masks_secrets_and_fills_in_defaults(file: Path) -> None:
    """What is shown is itself a good file."""
    shown = run("config", "show", "--config", str(file))
    assert "api-key: '******'" in shown.stdout
    assert "s3cret" not in shown.stdout
    assert "connection-timeout: 10s" in shown.stdout
    again = config(file.parent, shown.stdout, "again.yaml")
    assert run("config", "show", "--config", str(again)).stdout == shown.stdout
    assert "s3cret" in run("config", "show", "--secrets", "--config", str(file)).stdout
    assert json.loads(run("config", "show", "--json", "--config", str(file)).stdout)["server"]["port"] == 8080


def test_validate(file: Path) -> None:
    """Good: counted. Bad: file, line, exit code 2; as JSON, too."""
    assert run("config", "validate", str(file)).stdout == f"{file} is valid: 1 service, 1 instance\n"
    file.write_text(CHAT + "          weight: x\n")
    done = run("config", "validate", "--config", str(file))
    problem = "model.services.chat.instances[0].weight: expected a whole number, found 'x'"
    assert (done.returncode, done.stderr) == (2, f"error: {file}:9: {problem}\n")
    as_json = run("config", "validate", "--json", "--config", str(file))
    path, _ = problem.split(": ")
    assert (as_json.returncode, json.loads(as_json.stdout)) == (
        2,
        {
            "file": str(file),
            "valid": False,
            "problems": [{"path": path, "line": 9, "expected": "a whole number", "found": "'x'"}],
        },
    )


def test_health_of_nobody(tmp_path: Path) -> None:
    """3: nobody answered; 2: no address."""
    done = run("health", "--url", "http://127.0.0.1:1")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("error: cannot reach a gateway at http://127.0.0.1:1: ")
    assert run("health", "--url", "nonsense", cwd=tmp_path).returncode == 2


def test_a_read_only_file(file: Path) -> None:
    """Told, not half done."""
    file.chmod(0o444)
    done = run("instances", "add", "chat", "m", "http://h", "--config", str(file))
    assert (done.returncode, done.stderr) == (1, READ_ONLY.format(file=file))


LIMITS = """\
APPLIES TO STATE ALGORITHM CAPACITY RATE SCOPE TOKENS/MIN PER CLIENT
the gateway enabled - - - service 60000 -
service chat enabled token-bucket 100 10/s service - capacity 20, rate 2.5, max-concurrency 3
qwen@http://10.0.0.1:8000 enabled sliding-window 30 in 10 s service - -
"""


def test_limits_from_the_command_line(file: Path) -> None:
    """Set at each place, listed, shown, cleared: afterwards the file is as it was."""
    where = ("--config", str(file))
    sets = (
        ("chat", "--capacity", "100", "--rate", "10"),
        ("chat", "--per-client-ip", "--capacity", "20", "--rate", "2.5", "--max-concurrency", "3"),
        ("--global", "--tokens-per-minute", "60000"),
        ("chat", "--instance", "qwen", "--algorithm", "sliding-window", "--max-requests", "30", "--window-size", "10s"),
    )
    for arguments in sets:
        done = run("limits", "set", *arguments, *where)
        assert (done.returncode, done.stderr) == (0, ""), arguments
    listed = run("limits", "list", *where)
    assert [line.split() for line in listed.stdout.splitlines()] == [line.split() for line in LIMITS.splitlines()]
    shown = json.loads(run("limits", "show", "chat", "--json", *where).stdout)
    assert (shown["capacity"], shown["clientIp"]["maxConcurrency"]) == (100, 3)
    for place in ("chat",), ("--global",), ("chat", "--instance", "qwen"):
        assert run("limits", "clear", *place, *where).returncode == 0
    assert file.read_text() == CHAT


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("set",), 2, "give either a service or --global"),
        (("set", "chat", "--global", "--capacity", "1"), 2, "give either a service or --global"),
        (("set", "--global", "--instance", "x", "--capacity", "1"), 2, "--instance needs a service"),
        (("set", "chat"), 2, "nothing to set"),
        (("set", "chatt", "--capacity", "1"), 2, "unknown service 'chatt'"),
        (("set", "chat", "--capacity", "0"), 2, "--capacity: expected a whole number of at least 1; found '0'"),
        (("set", "chat", "--rate", "0"), 2, "expected a number greater than 0"),
        (("set", "chat", "--window-size", "soon"), 2, "expected a duration like 10s"),
        (("set", "chat", "--per-client-ip", "--queue"), 2, "--queue cannot be used with --per-client-ip"),
        (("set", "chat", "--max-concurrency", "2"), 2, "--max-concurrency can only be used with --per-client-ip"),
        (
            ("set", "chat", "--instance", "qwen", "--per-client-ip", "--max-concurrency", "2"),
            2,
            "expected rate-limit.client-ip.max-concurrency in the service or in model, not in an instance",
        ),
        (("set", "chat", "--instance", "nope", "--capacity", "1"), 2, "no instance 'nope' in service chat"),
        (("show", "chat"), 2, "no limit is set for service chat"),
        (("clear", "chat"), 2, "no limit is set for service chat"),
        (("show", "--live", "--url", "http://127.0.0.1:9"), 3, "cannot reach a gateway"),
    ],
)
def test_limits_mistyped(file: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    """What was wrong, and the file as it was."""
    done = run("limits", *arguments, "--config", str(file))
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert file.read_text() == CHAT
