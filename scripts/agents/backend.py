"""A backend that has chat completions alone, and has an agent read, edit and run something: `backend.py PORT`.

Which calls come is decided by the number of results that the agent has sent, so nothing is remembered. It is for real
agents (`scripts/real`), which decide by themselves how they ask.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

MODEL: Final = "agent"
_PIECE: Final = 7  # characters of the arguments in one event


def planned(tools: Mapping[str, Any], done: int) -> tuple[str, dict[str, Any]] | None:
    """Return the next call for an agent that has these tools; None when it is to say that it is done."""
    if "Read" in tools:  # Claude Code
        file = {"file_path": "notes.txt"}
        edit = {**file, "old_string": "hello", "new_string": "goodbye"}
        calls: list[tuple[str, dict[str, Any]]] = [
            ("Read", file),
            ("Edit", edit),
            ("Bash", {"command": "cat notes.txt"}),
        ]
    elif "exec_command" in tools:  # Codex
        commands = ("cat notes.txt", "sed -i s/hello/goodbye/ notes.txt", "cat notes.txt")
        calls = [("exec_command", {"cmd": command}) for command in commands]
    else:
        return None
    return calls[done] if done < len(calls) else None


def deltas(call: tuple[str, dict[str, Any]] | None, done: int) -> Iterator[dict[str, Any]]:
    """Yield the pieces of an answer."""
    yield {"role": "assistant", "content": ""}
    if call is None:
        for word in ("All ", "done."):
            yield {"content": word}
        return
    name, arguments = call
    text = json.dumps(arguments)
    yield {"reasoning_content": "A tool is needed."}
    yield {"tool_calls": [{"index": 0, "id": f"call_{done}", "type": "function", "function": {"name": name}}]}
    for at in range(0, len(text), _PIECE):
        yield {"tool_calls": [{"index": 0, "function": {"arguments": text[at : at + _PIECE]}}]}


class Handler(BaseHTTPRequestHandler):
    """Answers `GET /v1/models` and `POST /v1/chat/completions`; everything else is 404."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """List the one model."""
        if self.path == "/v1/models":
            self._send(200, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})
        else:
            self._send(404, {"detail": "Not Found"})

    def do_POST(self) -> None:
        """Answer a chat, as a stream if that is wanted."""
        body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}")
        if self.path != "/v1/chat/completions":
            self._send(404, {"detail": "Not Found"})
            return
        done = sum(message["role"] == "tool" for message in body["messages"])
        tools = {tool["function"]["name"]: tool for tool in body.get("tools", ())}
        call = planned(tools, done)
        sys.stdout.write(json.dumps({"roles": [one["role"] for one in body["messages"]], "call": call}) + "\n")
        sys.stdout.flush()
        finish = "stop" if call is None else "tool_calls"
        usage = {"prompt_tokens": 100, "completion_tokens": 9, "total_tokens": 109}
        if not body.get("stream"):
            message = {"role": "assistant", "content": "All done."}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            self._send(200, {"id": "c", "object": "chat.completion", "choices": [choice], "usage": usage})
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        for delta in deltas(call, done):
            self._event({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
        self._event({"choices": [], "usage": usage})
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, members: dict[str, Any]) -> None:
        said = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": MODEL, **members}
        self.wfile.write(b"data: " + json.dumps(said).encode() + b"\n\n")

    def _send(self, status: int, members: dict[str, Any]) -> None:
        body = json.dumps(members).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
