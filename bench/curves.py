"""Measures how the cost of a request grows with the configuration, the request, the connections and the workers.

Every curve starts what it compares, loads its points in turn, round after round, and takes medians. All instances are
one backend: under many addresses of the loopback interface, or, where a curve says so, under many paths of one.
"""

import argparse
import math
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import page
import peers
import svg
from loading import load, press
from proxies import HERE, LIMIT_KINDS, Proxy, backend, configuration, gateway, hosts, nginx
from run import arguments

KB, MB = 1000, 1_000_000


@dataclass
class Point:
    """One point of a line: where it is, and how it is measured."""

    line: str
    x: float
    proxy: Proxy
    connections: int = 32
    shape: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Bench:
    """What the curves start their processes with, and end them with."""

    stack: ExitStack
    folder: Path
    port: int
    """Of the backend."""
    forms: Mapping[str, str]
    """The forms of the gateway and their Pythons; the first is the one here."""

    def gateway(self, form: str, config: str = "", *options: str) -> Proxy:
        """Start a form of the gateway."""
        return gateway(self.stack, self.folder, form, self.port, *options, config=config, python=self.forms[form])

    def nginx(self, instances: int = 1) -> Proxy:
        """Start nginx."""
        return nginx(self.stack, self.folder, self.port, instances)

    def vllm_router(self, instances: int = 1) -> list[Proxy]:
        """Start vllm-router, if it is installed."""
        start = ("vllm-router", lambda own: peers.vllm_router(own, self.folder, self.port, instances))
        return peers.started(self.stack, start)

    def everybody(self) -> list[Proxy]:
        """Start one of each."""
        return [*map(self.gateway, self.forms), self.nginx(), *self.vllm_router()]

    def line(self, form: str, name: str) -> str:
        """Return the name of a line of one form."""
        return name if form == next(iter(self.forms)) else f"{form}: {name}"


def many_instances(bench: Bench) -> Iterator[Point]:
    """One model, on more and more backends."""
    for count in (1, 10, 100, 1000):
        urls = [f"http://{host}" for host in hosts(count, bench.port)]
        paths = [f"http://127.0.0.1:{bench.port}/{number}" for number in range(count)]
        for form in bench.forms:
            for name, balancing, chosen in (
                ("round-robin", "round-robin", urls),
                ("round-robin, one backend", "round-robin", paths),
                ("least-connections", "least-connections", urls),
            ):
                config = configuration([("m", url) for url in chosen], balancing)
                yield Point(bench.line(form, name), count, bench.gateway(form, config))
        yield Point("nginx", count, bench.nginx(count))
        for proxy in bench.vllm_router(count):
            yield Point("vllm-router", count, proxy)


def many_models(bench: Bench) -> Iterator[Point]:
    """More and more models that are asked for in turn, each on one instance."""
    for count in (1, 10, 100, 1000):
        names = ["m", *(f"m{number}" for number in range(1, count))]
        places = (
            ("each on its own backend", [f"http://{host}" for host in hosts(count, bench.port)]),
            ("all on one backend", [f"http://127.0.0.1:{bench.port}"] * count),
        )
        for form in bench.forms:
            for name, urls in places:
                config = configuration(list(zip(names, urls, strict=True)))
                yield Point(bench.line(form, name), count, bench.gateway(form, config), shape={"MODELS": str(count)})


def many_limits(bench: Bench) -> Iterator[Point]:
    """More and more kinds of limits."""
    for count in range(len(LIMIT_KINDS) + 1):
        config = configuration([("m", f"http://127.0.0.1:{bench.port}")], limits=count)
        for form in bench.forms:
            for name, workers in (("one worker", "1"), ("two workers", "2")):
                yield Point(bench.line(form, name), count, bench.gateway(form, config, "--workers", workers))


def many_headers(bench: Bench) -> Iterator[Point]:
    """Send more and more headers."""
    for proxy in bench.everybody():
        for count in (5, 20, 50, 100):
            yield Point(proxy.name, count, proxy, shape={"HEADERS": str(count)})


def large_bodies(bench: Bench) -> Iterator[Point]:
    """Send larger and larger bodies."""
    for proxy in bench.everybody():
        for size in (KB, 10 * KB, 100 * KB, MB, 5 * MB, 25 * MB):
            yield Point(proxy.name, size, proxy, 4, {"BODY": str(size)})


def many_connections(bench: Bench) -> Iterator[Point]:
    """More and more clients at once."""
    for proxy in bench.everybody():
        for count in (1, 8, 32, 256, 1000, 2000):
            yield Point(proxy.name, count, proxy, count)


def many_workers(bench: Bench) -> Iterator[Point]:
    """One worker and two."""
    for form in bench.forms:
        for count in (1, 2):
            proxy = bench.gateway(form, "", "--workers", str(count))
            for connections in (32, 256):
                yield Point(bench.line(form, f"{connections} connections"), count, proxy, connections)


def size(value: float) -> str:
    """Return a number of bytes as ticks show it."""
    return f"{value / MB:g} MB" if value >= MB else f"{value / KB:g} KB"


@dataclass(frozen=True)
class Curve:
    """One curve: what it is called, what its x axis is, and how it is read."""

    title: str
    x: str
    points: Callable[[Bench], Iterator[Point]]
    said: str
    log: bool = True
    show: Callable[[float], str] = svg.short


CURVES = {
    "instances": Curve(
        "Instances of one model", "instances", many_instances, "32 connections; each instance is a backend of its own."
    ),
    "models": Curve("Models", "models", many_models, "32 connections; the models are asked for in turn."),
    "limits": Curve(
        "Kinds of limits",
        "kinds of limits",
        many_limits,
        f"32 connections; the limits, never reached, are those of {', '.join(LIMIT_KINDS)}, added in this order. With two "
        "workers the buckets are in shared memory.",
        log=False,
    ),
    "headers": Curve("Headers of a request", "headers", many_headers, "32 connections, 25 bytes a header."),
    "body": Curve("Body of a request", "body", large_bodies, "4 connections; the response is 600 bytes.", show=size),
    "connections": Curve(
        "Connections", "connections", many_connections, "The gateway has at most 500 to a backend, by default."
    ),
    "workers": Curve(
        "Workers", "workers", many_workers, "The machine's cores are shared with load and backend.", log=False
    ),
}


def measured(curve: Curve, forms: Mapping[str, str], rounds: int, seconds: int) -> list[Point]:
    """Measure a curve's points."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jairouter-bench-")))
        points = list(curve.points(Bench(stack, folder, backend(stack, folder).port, forms)))
        for proxy in {id(point.proxy): point.proxy for point in points}.values():
            press(proxy.port, 32, 1)
        for _ in range(rounds):
            for point in points:
                load(point.proxy, key(point), point.connections, seconds, shape=point.shape)
        return points


def key(point: Point) -> str:
    """Return what the samples of a point are kept under; a proxy may have several points."""
    return f"{point.line} {point.x}"


def section(name: str, curve: Curve, points: list[Point], plots: Path) -> str:
    """Return a curve as Markdown, and draw it into a folder."""
    cost: dict[str, list[tuple[float, float]]] = {}
    rate: dict[str, list[tuple[float, float]]] = {}
    failed: dict[tuple[str, float], str] = {}
    for point in points:
        what, proxy = key(point), point.proxy
        failures = sum(proxy.samples[f"{what} failures"])
        if failures:
            failed[point.line, point.x] = f", {failures:,.0f} failed"
        for lines, sample in ((cost, f"{what} cpu us"), (rate, what)):
            line, value = lines.setdefault(point.line, []), proxy.median(sample)
            if not math.isnan(value) and value > 0:
                line.append((point.x, value))
    panels = [
        svg.panel(label, curve.x, lines, log=curve.log, show=curve.show)
        for label, lines in (("CPU us per request", cost), ("requests/s", rate))
    ]
    plots.mkdir(parents=True, exist_ok=True)
    (plots / f"{name}.svg").write_text(svg.page(curve.title, list(cost), panels))
    rows = []
    for x in sorted({point.x for point in points}):
        cells = [
            f"{dict(cost[line])[x]:,.0f} us, {dict(rate[line])[x]:,.0f}/s{failed.get((line, x), '')}"
            if x in dict(cost[line])
            else f"-{failed.get((line, x), '')}"
            for line in cost
        ]
        rows.append([curve.show(x), *cells])
    return f"### {curve.title}\n\n{curve.said}\n\n![{curve.title}](plots/{name}.svg)\n\n{page.table([curve.x, *cost], rows)}"


def main() -> None:
    """Measure, print, draw, and with --write keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=CURVES, action="append", help="one curve (repeatable); cannot be kept")
    options = arguments(parser, rounds=3, seconds=1)
    if options.only and options.write:
        raise SystemExit("--write keeps all curves: leave --only out")
    said = page.told(options.beside)
    forms = {"jairouter": sys.executable, **options.beside}
    sections, plots = [], HERE / "plots" if options.write else HERE.parent / "build" / "plots"
    for name in options.only or CURVES:
        points = measured(CURVES[name], forms, options.rounds, options.seconds)
        sections.append(section(name, CURVES[name], points, plots))
        print(sections[-1], end="\n\n", flush=True)
    intro = f"""{page.now()}. Medians of {options.rounds} rounds of {options.seconds} s, interleaved within a curve; CPU time of all processes of one
measured, per request, and requests per second. One worker and chat requests of 500 bytes where nothing else is said.
{said}"""
    if options.write:
        page.write({"How cost grows": "\n\n".join([intro, *sections])})
    else:
        print(f"the plots are in {plots}")


if __name__ == "__main__":
    main()
