"""Three walks through the house, with real processes: a streaming chat, an edit while serving, a backend that dies."""

import json
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import openai
import pytest

from tests.backend import answer, backend, raw
from tests.process import JAIROUTER, Served, config, eventually, kill, mock, run, sdk, services, serving

HI: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "user", "content": "hi"}]
CHAT = {"model": "m", "messages": HI}


def seconds_until(condition: Callable[[], object]) -> float:
    """Wait until something holds; return how long that took."""
    start = time.monotonic()
    eventually(condition)
    return time.monotonic() - start


def ask(served: Served) -> tuple[int, str | None]:
    """Ask once; return the status and which backend answered."""
    response = served.post("/v1/chat/completions", json=CHAT)
    return response.status_code, response.headers.get("x-mock-backend")


def test_a_backend_dies_and_nobody_notices(tmp_path: Path) -> None:
    """Two share the load; one is killed under it: every request of the SDK is answered, and the dead one is marked."""
    with mock("one") as (first, url), mock("two") as (_, other):
        file = config(tmp_path, services(chat=[url, other]))
        with serving("--config", str(file)) as served:
            assert {ask(served)[1] for _ in range(4)} == {"one", "two"}
            killed = threading.Event()

            def talk(number: int) -> str:
                with sdk(served) as client:
                    said = []
                    for turn in range(25):
                        if number == 0 and turn == 5:
                            kill(first)
                            killed.set()
                        reply = client.chat.completions.create(model="m", messages=HI)
                        said.append(reply.choices[0].message.content or "")
                    return "".join(said)

            with ThreadPoolExecutor(8) as pool:
                assert list(pool.map(talk, range(8))) == ["You said: hi" * 25] * 8
            assert killed.is_set()
            assert [ask(served) for _ in range(4)] == [(200, "two")] * 4
            health = run("health", "--url", served.url, "--json")
            node = json.loads(health.stdout)["components"]["modelRouter"]["details"]["services"]["chat"]
            assert (health.returncode, node["totalInstances"]) == (0, 2)


@pytest.mark.parametrize("behave", [answer({}, status="503 Busy"), answer({}, status="502 Bad"), raw(), raw(b"what?")])
def test_failures_before_the_first_byte_go_to_the_next(tmp_path: Path, behave: object) -> None:
    """502, 503, a close without an answer, garbage: the other instance answers, and the log says why."""
    with backend(behave) as bad, backend(answer({"ok": True})) as good:  # type: ignore[arg-type]
        file = config(tmp_path, services(chat=[bad.url, good.url]))
        with serving("--config", str(file), stderr=tmp_path / "log") as served:
            answers = [served.post("/v1/chat/completions", json=CHAT) for _ in range(10)]
        assert [response.json() for response in answers] == [{"ok": True}] * 10
        assert len(good.requests) == 10
        assert 3 <= len(bad.requests) <= 5  # three failures in a row, and it is left alone until somebody asks it
        assert "WARN chat m 200, ok after" in (tmp_path / "log").read_text()


def test_the_backends_own_error_is_no_reason_to_try_another(tmp_path: Path) -> None:
    """4xx and 500 are answers."""
    with backend(answer({}, status="400 Bad")) as one, backend(answer({}, status="400 Bad")) as two:
        file = config(tmp_path, services(chat=[one.url, two.url]))
        with serving("--config", str(file)) as served:
            assert [ask(served)[0] for _ in range(4)] == [400] * 4
        assert (len(one.requests), len(two.requests)) == (2, 2)


def test_when_nobody_can_be_reached(tmp_path: Path) -> None:
    """503 with counts and no address; health is DOWN with 503, and the command says so with 1."""
    file = config(tmp_path, services(chat=["http://127.0.0.1:1", "http://127.0.0.1:2"]))
    with serving("--config", str(file)) as served:
        response = served.post("/v1/chat/completions", json=CHAT)
        assert (response.status_code, response.json()) == (
            503,
            {
                "error": {
                    "message": "No instance of model 'm' can be reached",
                    "type": "service_unavailable",
                    "code": "service_unavailable",
                    "details": {
                        "source": "gateway",
                        "reason": "no_reachable_instance",
                        "attempts": 2,
                        "failures": {"unreachable": 2},
                    },
                }
            },
        )
        eventually(lambda: served.get("/actuator/health").status_code == 503)
        done = run("health", "--url", served.url)
        head, _, *rows, counted = done.stdout.splitlines()
        assert (done.returncode, head) == (1, f"{served.url} is DOWN, configuration {file}")
        assert counted == "DOWN: 2 of 2 instances"
        shown = [re.sub(r"\d+ s ago", "just now", row).split() for row in rows]
        refused = ["DOWN", "-", "0", "just", "now", "Connection", "refused"]
        assert shown == [["chat", "m", f"http://127.0.0.1:{n}", *refused] for n in (1, 2)]


def test_a_timeout_is_504_and_named(tmp_path: Path) -> None:
    """Silence before the answer; the message has the seconds."""
    with backend(raw(then="wait")) as slow:
        text = services(chat=[slow.url]) + "webclient: {read-timeout: 300ms}\n"
        with serving("--config", str(config(tmp_path, text))) as served:
            error = served.post("/v1/chat/completions", json=CHAT)
    assert (error.status_code, error.json()["error"]["message"]) == (
        504,
        "The backend of model 'm' did not respond in time (first-byte timeout, 0.3 s)",
    )


def test_an_edit_is_in_force_within_a_second_and_drops_nothing(tmp_path: Path) -> None:
    """Instances come and go under load, by command and by hand; no request fails, a stream under way goes on."""
    with mock("one") as (_, first), mock("two") as (_, second), mock("slow", "--chunk-interval", "0.5") as (_, slow):
        file = config(tmp_path, services(chat=[first], tts=[slow]) + "# the end\n")
        with serving("--config", str(file)) as served:
            stop, statuses = threading.Event(), list[int]()

            def load() -> None:
                with served.client() as client:
                    while not stop.is_set():
                        statuses.append(client.post("/v1/chat/completions", json=CHAT).status_code)

            threads = [threading.Thread(target=load) for _ in range(4)]
            for thread in threads:
                thread.start()
            run("instances", "add", "chat", "m", second, "--config", str(file))
            took = [seconds_until(lambda: ask(served)[1] == "two")]
            run("instances", "remove", "chat", f"m@{first}", "--config", str(file))
            took.append(seconds_until(lambda: {ask(served)[1] for _ in range(3)} == {"two"}))
            file.write_text(file.read_text().replace(second, first))
            took.append(seconds_until(lambda: {ask(served)[1] for _ in range(3)} == {"one"}))
            assert min(took) < 1  # the best of three: the machine may be busy with something else
            stop.set()
            for thread in threads:
                thread.join()
            assert set(statuses) == {200}
            assert len(statuses) > 50
        assert file.read_text().endswith("# the end\n")


def test_a_stream_outlives_the_removal_of_its_instance(tmp_path: Path) -> None:
    """Requests under way keep the table that they began with."""
    with mock("slow", "--chunk-interval", "0.3") as (_, url):
        file = config(tmp_path, services(chat=[url]))
        with serving("--config", str(file)) as served, sdk(served) as client:
            stream = client.chat.completions.create(model="m", messages=HI, stream=True)
            first = next(iter(stream))
            run("instances", "remove", "chat", "m", "--config", str(file))
            eventually(lambda: ask(served)[0] == 404)
            node = served.get("/actuator/health").json()["components"]["modelRouter"]["details"]["services"]["chat"]
            assert [(one["status"], one["inFlight"]) for one in node["instances"]] == [("DRAINING", 1)]
            rest = list(stream)
    assert first.choices[0].delta.role == "assistant"
    assert (len(rest), rest[-1].choices[0].finish_reason) == (4, "stop")


def test_a_bad_edit_by_hand_changes_nothing_but_health(tmp_path: Path) -> None:
    """What was good serves on; health names file and line until the file is good again."""
    with backend(answer({"ok": True})) as behind:
        good = services(chat=[behind.url])
        file = config(tmp_path, good)
        with serving("--config", str(file), stderr=tmp_path / "log") as served:

            def problem() -> dict[str, object]:
                details: dict[str, object] = (
                    served.get("/actuator/health").json()["components"]["config"].get("details", {})
                )
                return details

            for bad, line in ((good + "          weight: nine\n", 10), (good + "  [\n", 11), ("- 1\n", 1)):
                file.write_text(bad)
                eventually(lambda at=line: problem().get("line") == at)  # type: ignore[misc]
                assert (problem()["file"], ask(served)[0]) == (str(file), 200)
            shown = run("health", "--url", served.url)
            assert shown.returncode == 0
            assert "the configuration file was rejected: " in shown.stdout
            file.unlink()
            eventually(lambda: "no configuration file" in str(problem().get("error")))
            file.write_text(good)
            eventually(lambda: "error" not in problem())
        assert "configuration rejected, keeping the previous one" in (tmp_path / "log").read_text()


def test_several_workers_serve_and_follow_the_file(tmp_path: Path) -> None:
    """Four processes on one port: all answer, all take an edit over."""
    with mock("one") as (_, first), mock("two") as (_, second):
        file = config(tmp_path, services(chat=[first]))
        with serving("--config", str(file), "--workers", "4") as served:
            assert served.announced["workers"] == 4
            assert {ask(served) for _ in range(40)} == {(200, "one")}
            file.write_text(file.read_text().replace(first, second))
            eventually(lambda: {ask(served)[1] for _ in range(40)} == {"two"})


def test_an_instances_key_and_headers_replace_the_clients(tmp_path: Path) -> None:
    """A client's own key goes on only where the instance has none."""
    with backend(answer({})) as behind:
        text = services(chat=[behind.url]) + "          api-key: ${K}\n          headers: {X-Team: ours}\n"
        sent = {"authorization": "Bearer mine", "x-team": "mine"}
        with serving("--config", str(config(tmp_path, text)), env={"K": "theirs"}) as served:
            served.post("/v1/chat/completions", json=CHAT, headers=sent)
        received = behind.requests[-1]
        assert [value for name, value in received.headers if name.lower() == "authorization"] == ["Bearer theirs"]
        assert [value for name, value in received.headers if name.lower() == "x-team"] == ["ours"]


def test_where_requests_are_sent(tmp_path: Path) -> None:
    """Base URLs with and without /v1, paths of the main endpoint, and the others after the same prefix."""
    with backend(answer({})) as behind:
        text = "model:\n  services:\n    chat:\n      instances:\n"
        bases = {"plain": "", "sdk": "/v1", "deep": "/a/v1"}
        text += "".join(f"        - {{name: {name}, base-url: '{behind.url}{base}'}}\n" for name, base in bases.items())
        text += f"        - {{name: gpustack, base-url: '{behind.url}', path: /v1-openai/chat/completions}}\n"
        text += f"        - {{name: own, base-url: '{behind.url}/x/', path: /talk}}\n"
        with serving("--config", str(config(tmp_path, text))) as served:
            for name in (*bases, "gpustack", "own"):
                for path in ("/v1/chat/completions", "/v1/completions"):
                    served.post(path, json={"model": name})
        assert [received.line.split()[1] for received in behind.requests] == [
            *("/v1/chat/completions", "/v1/completions"),
            *("/v1/chat/completions", "/v1/completions"),
            *("/a/v1/chat/completions", "/a/v1/completions"),
            *("/v1-openai/chat/completions", "/v1-openai/completions"),
            *("/x/talk", "/x/v1/completions"),
        ]


def test_serve_stops_when_told(tmp_path: Path) -> None:
    """SIGINT and SIGTERM end it with 0."""
    file = config(tmp_path, services(chat=["http://127.0.0.1:1"]))
    with serving("--config", str(file)) as served:
        served.process.send_signal(signal.SIGINT)
        assert served.process.wait(20) == 0


def test_a_demo_that_is_ended_early_leaves_nothing_behind() -> None:
    """Before it listens, too: the mock model server ends with it."""
    process = subprocess.Popen([*JAIROUTER, "serve", "--demo", "--port", "0"], stderr=subprocess.DEVNULL)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    eventually(lambda: children.read_text().split())
    child = Path("/proc") / children.read_text().split()[0]
    process.terminate()
    assert process.wait(20) in {0, 128 + signal.SIGTERM}
    eventually(lambda: not child.exists())


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """Told before anything starts; two gateways on one port would share its requests."""
    file = config(tmp_path, services(chat=["http://127.0.0.1:1"]))
    with serving("--config", str(file)) as served:
        port = served.url.rpartition(":")[2]
        done = run("serve", "--config", str(file), "--port", port)
    hint = f"hint: stop the other program, or choose another port: --port {int(port) + 1}"
    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        "",
        f"error: port {port} on 127.0.0.1 is in use\n\n{hint}\n",
    )


def test_a_bad_file_is_refused_at_start(tmp_path: Path) -> None:
    """File, line, expected, found; exit code 2."""
    file = config(tmp_path, "server: {port: eighty}\n")
    done = run("serve", "--config", str(file))
    assert (done.returncode, done.stderr) == (
        2,
        f"error: {file}:1: server.port: expected a whole number, found 'eighty'\n",
    )


def test_a_warning_where_others_can_reach_it(tmp_path: Path) -> None:
    """Listening beyond loopback without authentication is said aloud."""
    file = config(tmp_path, services(chat=["http://127.0.0.1:1"]))
    with serving("--config", str(file), "--host", "0.0.0.0", stderr=tmp_path / "log"):
        pass
    assert "warning: listening on 0.0.0.0 without authentication" in (tmp_path / "log").read_text()
