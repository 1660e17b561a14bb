"""Names are looked up without one keeping others waiting, and every address of a name is tried."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence

import pytest
import uvloop

from jairouter_cli.gateway.upstream.dial import dial
from jairouter_cli.gateway.upstream.resolver import MOST_THREADS, Resolver, SocketAddress, look_up

HOME = [SocketAddress(socket.AF_INET, ("127.0.0.1", 0))]
GONE = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
SILENT = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


class Names:
    """Who knows names: what each is, and how often it was asked for. A name with an event waits for it."""

    def __init__(self, **known: Sequence[SocketAddress] | OSError | threading.Event) -> None:
        self.known = known
        self.asked: list[str] = []

    def __call__(self, host: str) -> Sequence[SocketAddress]:
        """Answer, or block."""
        self.asked.append(host)
        found = self.known[host]
        if isinstance(found, threading.Event):
            found.wait(10)
            return HOME
        if isinstance(found, OSError):
            raise found
        return found


def run(work: Callable[[], Awaitable[None]]) -> None:
    """Do something inside a loop."""

    async def within() -> None:
        await asyncio.wait_for(work(), 20)

    asyncio.run(within())


def test_who_asks_at_once_asks_once() -> None:
    """And later, as long as the answer is kept, not at all."""
    names = Names(gpu=HOME)

    async def work() -> None:
        resolver = Resolver(30, names)
        assert await asyncio.gather(*(resolver.resolve("gpu") for _ in range(50))) == [HOME] * 50
        assert await resolver.resolve("gpu") == HOME

    run(work)
    assert names.asked == ["gpu"]


def test_without_a_cache_each_asks_anew() -> None:
    """Nought is no cache."""
    names = Names(gpu=HOME)

    async def work() -> None:
        resolver = Resolver(0, names)
        for _ in range(3):
            await resolver.resolve("gpu")

    run(work)
    assert names.asked == ["gpu"] * 3


def test_a_silent_name_takes_one_thread_and_starves_nobody() -> None:
    """However many wait for it; and with as many silent names as there are threads but one, others are found."""
    turn = threading.Event()
    silent = {f"silent{n}": turn for n in range(MOST_THREADS - 1)}
    names = Names(gpu=HOME, other=HOME, **silent)

    async def work() -> None:
        resolver = Resolver(30, names)
        waiting = [asyncio.create_task(resolver.resolve(host)) for host in silent for _ in range(8)]
        assert await resolver.resolve("gpu") == HOME
        assert await resolver.resolve("other") == HOME
        assert await resolver.resolve("127.0.0.1") == HOME
        assert resolver.is_looking_up("silent0")
        assert not any(task.done() for task in waiting)
        turn.set()
        assert await asyncio.gather(*waiting) == [HOME] * len(waiting)

    run(work)
    assert sorted(names.asked) == sorted([*silent, "gpu", "other"])


def test_one_who_leaves_takes_nothing_along() -> None:
    """The look-up goes on for the others."""
    turn = threading.Event()
    names = Names(gpu=turn)

    async def work() -> None:
        resolver = Resolver(30, names)
        first, second = (asyncio.create_task(resolver.resolve("gpu")) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        turn.set()
        assert await second == HOME

    run(work)
    assert names.asked == ["gpu"]


def test_a_failure_is_remembered_for_a_moment_and_told_as_it_is() -> None:
    """A second look-up at once would say the same."""
    names = Names(gone=GONE)

    async def work() -> None:
        resolver = Resolver(30, names)
        for _ in range(3):
            with pytest.raises(socket.gaierror, match="Name or service not known"):
                await resolver.resolve("gone")

    run(work)
    assert names.asked == ["gone"]


def test_the_old_answer_holds_while_the_resolver_fails_but_not_when_the_name_is_gone() -> None:
    """A server that does not answer says nothing about the name."""
    names = Names(gpu=HOME)

    async def work() -> None:
        resolver = Resolver(0, names)
        await resolver.resolve("gpu")
        names.known["gpu"] = SILENT
        assert await resolver.resolve("gpu") == HOME
        names.known["gpu"] = GONE
        with pytest.raises(socket.gaierror):
            await resolver.resolve("gpu")

    run(work)


def test_an_address_that_did_not_work_is_doubted() -> None:
    """It may have moved: the name is soon asked for again."""
    names = Names(gpu=HOME)

    async def work() -> None:
        resolver = Resolver(3600, names)
        await resolver.resolve("gpu")
        resolver.doubt("gpu")
        assert await resolver.resolve("gpu") == HOME

    run(work)
    assert names.asked == ["gpu"]


@pytest.mark.parametrize("host", ["gpu..lan", "a" * 64, "\udc80", "a" * 300])
def test_what_can_be_no_name_is_only_a_name_that_is_not_known(host: str) -> None:
    """No other error than that of names."""
    with pytest.raises(OSError, match=r".+"):
        look_up(host)


def listener() -> socket.socket:
    """Return a socket that listens."""
    return socket.create_server(("127.0.0.1", 0))


@pytest.mark.parametrize("loop", LOOPS)
def test_an_address_that_swallows_packets_does_not_hold_up_the_next(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:  # fmt: skip  # noqa: E501
    """The first one never answers; the second one is tried beside it."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as hole, listener() as good:
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)  # noqa: FBT003 - as the standard library has it
            one.connect_ex(hole.getsockname())
        addresses = [SocketAddress(socket.AF_INET, one.getsockname()) for one in (hole, good)]

        async def work() -> object:
            with await asyncio.wait_for(dial(addresses), 10) as opened:
                return opened.getpeername()

        with asyncio.Runner(loop_factory=loop) as runner:
            assert runner.run(work()) == good.getsockname()
        for one in waiting:
            one.close()


def test_an_address_that_refuses_leads_to_the_next_at_once() -> None:
    """And when all refuse, the reason is the first one's."""
    refusing = SocketAddress(socket.AF_INET, ("127.0.0.1", 1))
    with listener() as good:

        async def work() -> None:
            with await dial([refusing, SocketAddress(socket.AF_INET, good.getsockname())]) as opened:
                assert opened.getpeername() == good.getsockname()
            with pytest.raises(ConnectionRefusedError):
                await dial([refusing, SocketAddress(socket.AF_INET6, ("::1", 1, 0, 0))])
            with pytest.raises(OSError, match="no address"):
                await dial([])

        run(work)
