"""Pictures of what the program shows in a terminal, as SVG: `top` and `health` of a gateway under a little load."""

import io
import re
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import httpx
from rich.console import Console
from rich.text import Text

from tests.process import JAIROUTER, Served, config, eventually, mock, serving
from tests.terminal import Terminal

FOLDER: Final = Path(__file__).parent.parent / "docs" / "pictures"
WIDTH: Final = 100
WIDE: Final = 120
CONFIG: Final = """
server: {{locale: en, port: 8080}}
model:
  load-balance: least-connections
  services:
    chat:
      instances:
        - {{name: qwen2.5:7b, base-url: "{ollama}", adapter: ollama}}
        - {{name: qwen2.5:7b, base-url: "{vllm}", weight: 2, max-concurrency: 8}}
        - {{name: llama3.3:70b, base-url: "{vllm}", max-concurrency: 8}}
        - {{name: qwen2.5-coder:32b, base-url: "http://127.0.0.1:9"}}
    embedding:
      instances:
        - {{name: bge-m3, base-url: "{ollama}", adapter: ollama}}
"""
# What rich writes, but in fonts that the reader has: nothing is loaded from elsewhere.
SVG: Final = """<svg class="rich-terminal" viewBox="0 0 {terminal_width} {terminal_height}" \
xmlns="http://www.w3.org/2000/svg" role="img" aria-label="TITLE">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; \
font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width; }}
{styles}
</style>
<defs>{lines}</defs>
<rect width="{terminal_width}" height="{terminal_height}" rx="8" fill="#1e1e1e"/>
<g transform="translate(9, 9)">{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""


def main() -> None:
    """Write the pictures."""
    with _gateway() as served, _load(served):
        time.sleep(8)
        top = Terminal([*JAIROUTER, "top", "--url", served.url, "--interval", "2"], WIDTH, 14)
        time.sleep(9)
        _write("top", "jairouter top", _last_screen(top.text))
        top.type("q")
        top.end()
        top.close()
        health = Terminal([*JAIROUTER, "health", "--url", served.url], WIDE, 14)
        health.process.wait(20)
        eventually(lambda: "bge-m3" in health.text, WIDE)
        time.sleep(0.2)
        _write("health", "jairouter health", health.text, WIDE)
        health.close()


@contextmanager
def _gateway() -> Iterator[Served]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        _, ollama = stack.enter_context(mock("ollama", "--delay", "0.4", "--chunk-interval", "0.05"))
        _, vllm = stack.enter_context(mock("vllm", "--delay", "0.15", "--chunk-interval", "0.02"))
        file = config(folder, CONFIG.format(ollama=ollama, vllm=vllm))
        yield stack.enter_context(serving("--config", str(file), "--workers", "2", stderr=folder / "log"))


@contextmanager
def _load(served: Served) -> Iterator[None]:
    over = threading.Event()

    def ask(path: str, body: dict[str, object]) -> None:
        with httpx.Client(base_url=served.url, trust_env=False, timeout=30) as client:
            while not over.is_set():
                client.post(path, json=body)

    said = [{"role": "user", "content": "one two three four five six seven eight"}]
    chat = "/v1/chat/completions"
    calls: list[tuple[str, dict[str, object]]] = [
        *[(chat, {"model": "qwen2.5:7b", "messages": said, "stream": True})] * 6,
        *[(chat, {"model": "llama3.3:70b", "messages": said, "stream": True})] * 3,
        ("/v1/embeddings", {"model": "bge-m3", "input": "a text"}),
    ]
    threads = [threading.Thread(target=ask, args=call) for call in calls]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _last_screen(text: str) -> str:
    """Return the last screen that was painted to its end."""
    return text.split("\x1b[H")[-2]


def _write(name: str, title: str, screen: str, width: int = WIDTH) -> None:
    """Write a picture."""
    text = re.sub(r"\x1b\[\?[0-9]+[a-z]", "", screen).replace("\r\n", "\n").strip("\n")
    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.from_ansi(text + "\n"), soft_wrap=True)  # a line more: the margins
    FOLDER.mkdir(exist_ok=True)
    svg = console.export_svg(title=title, code_format=SVG.replace("TITLE", title), unique_id=name)
    (FOLDER / f"{name}.svg").write_text(svg, "utf-8")


if __name__ == "__main__":
    main()
