"""A request to an endpoint of the OpenAI API, from its first byte to its last, whichever door it came through.

Bodies are peeked into and forwarded as they came.
"""

import asyncio
import logging
import re
import secrets
from codecs import BOM_UTF8
from functools import partial
from itertools import count
from typing import Final

import msgspec

from jairouter_cli.config.model import Locale
from jairouter_cli.gateway.dispatch import dispatch
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.gateway.inbound import Inbound
from jairouter_cli.gateway.outbound import is_forwarded
from jairouter_cli.gateway.record import CallRecord
from jairouter_cli.payloads.headers import Headers, RequestHeaders
from jairouter_cli.payloads.request import read_form, read_json
from jairouter_cli.payloads.request_coding import codings, unpack
from jairouter_cli.request_errors import (
    HeaderUnreadable,
    InternalError,
    MethodNotAllowed,
    RequestError,
    ShuttingDown,
    UnsupportedMediaType,
)
from jairouter_cli.routing.call import Call
from jairouter_cli.routing.table import Table
from jairouter_cli.web.auth.cors import allowing, is_preflight, preflight
from jairouter_cli.web.doors.body import Intake
from jairouter_cli.web.doors.departures import Departures
from jairouter_cli.web.doors.door import Answer, ClientLeft, Door
from jairouter_cli.web.errors import error_headers
from jairouter_cli.web.language import negotiate
from jairouter_cli.web.v1.endpoints import BY_PATH, Endpoint
from jairouter_cli.web.v1.forms import ErrorForm, ToldError, form_of
from jairouter_cli.web.v1.relay import relay

logger: Final = logging.getLogger("jairouter")

_REQUEST_ID: Final = re.compile(r"[\x21-\x7e]{1,128}")


class Arrival:
    """A request that has begun to come; `table` is the configuration in force then, which holds to its end."""

    __slots__ = ("door", "endpoint", "headers", "table", "task")

    def __init__(self, table: Table, endpoint: Endpoint, door: Door, headers: RequestHeaders) -> None:
        self.table: Final = table
        self.endpoint: Final = endpoint
        self.door: Final = door
        self.headers: Final = headers
        self.task: Final = asyncio.current_task()
        """The one that answers it."""

    def locale(self) -> Locale:
        """Return the language of errors."""
        return negotiate(self.headers.get("accept-language"), self.table.config.server.locale)


class OpenAI:
    """The endpoints over a gateway."""

    __slots__ = ("_gateway", "_number", "_origin", "departures", "intake")

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.departures = Departures()
        """Its requests under way."""
        self.intake = Intake(gateway)
        """Their bodies, and those of all other requests."""
        self._origin = secrets.token_hex(8)
        self._number = count(1)

    def answers(self) -> dict[str, Answer]:
        """Return what answers at each path of an endpoint."""
        return {path: partial(self.answer, endpoint) for path, endpoint in BY_PATH.items()}

    async def answer(self, endpoint: Endpoint, door: Door) -> None:
        """Answer, whatever happens; a page of another origin is told whether it may have the answer."""
        asked = Arrival(self._gateway.table, endpoint, door, door.headers)
        if "origin" not in asked.headers:
            await self._answer(asked, ())
            return
        allowed = asked.table.config.server.cors.allowed_origins
        if is_preflight(door.method, asked.headers):
            await door.whole(*preflight(asked.headers, allowed, "POST"), b"")
        else:
            await self._answer(asked, allowing(asked.headers.get("origin", ""), allowed))

    async def _answer(self, asked: Arrival, shared: Headers) -> None:
        """Answer with these headers among others; a failure before the head is sent becomes an error answer."""
        request_id = self._request_id(asked.headers.get("x-request-id", ""))
        door, form, presence = asked.door, form_of(asked.endpoint.path), self.departures.enter(asked.task)
        try:
            inbound = await self._admit(asked, request_id)
            self.departures.watch(presence, door)
            reply = await dispatch(self._gateway, inbound)
            if shared:
                reply.extra = [*reply.extra, *shared]
            await relay(reply, door, form, asked.locale, inbound.table.config.webclient.heartbeat_interval_s)
        except RequestError as error:
            if not presence.left:
                await _fail(door, form, ToldError(error, asked.locale(), request_id), shared)
        except ClientLeft:
            pass
        except asyncio.CancelledError:
            if not presence.left:
                if not self._gateway.drain.is_over:
                    raise
                if not door.started:  # not even read; the others have been told
                    await _fail(door, form, ToldError(ShuttingDown(), asked.locale(), request_id), shared)
        except Exception:
            logger.exception("bug while answering request %s", request_id)
            await _fail(door, form, ToldError(InternalError(), asked.locale(), request_id), shared)
        finally:
            presence.over()

    def _request_id(self, given: str) -> str:
        """Keep a client's id if it is fit for a header and a log line, else make one."""
        if given and _REQUEST_ID.fullmatch(given):
            return given
        return f"req_{self._origin}{next(self._number):08x}"

    async def _admit(self, asked: Arrival, request_id: str) -> Inbound:
        """Read the request whole; what cannot be used is reported here, as nobody else sees it. Raises as `_read`."""
        began = self._gateway.clock()
        try:
            return await self._read(asked, request_id)
        except RequestError as error:
            self._report(asked, request_id, error, began)
            raise

    def _report(self, asked: Arrival, request_id: str, error: RequestError, began: float) -> None:
        """Report a request that was refused before anybody could be asked; its body had begun to come at a time."""
        address = asked.table.callers.address(asked.door.client_ip, asked.headers.lines)
        call = Call(asked.endpoint.service, "", address)
        record = CallRecord.begin(self._gateway.clock, call, request_id, asked.endpoint.path, began)
        record.method = asked.door.method
        told = record.end(error.status, "failed")
        self._gateway.report(told)
        if (tracer := self._gateway.tracer) is not None:
            tracer.begin(asked.headers.lines, told.duration_s).end(told, "")

    async def _read(self, asked: Arrival, request_id: str) -> Inbound:
        """Read the request whole. Raises `InvalidRequest` and its kin."""
        table, endpoint, door, headers = asked.table, asked.endpoint, asked.door, asked.headers
        if door.method != "POST":
            raise MethodNotAllowed(method=door.method, path=door.path, allowed="POST")
        own = table.callers.cleared(headers)
        caller = table.callers.resolve(door.client_ip, own)
        body = await self._body(asked)
        content_type = headers.get("content-type", "")
        _check_media_type(endpoint, content_type)
        if endpoint.multipart:
            request = read_form(body, content_type)
        else:  # a parser may ignore a byte order mark (RFC 8259, 8.1), and some backends' do not
            request = read_json(body[3:] if body[:3] == BOM_UTF8 else body)
        other = table.meant(endpoint.service, request.model) if table.aliases else None
        call = Call(endpoint.service, other or request.model, caller.address, request.stream)
        if headers.get("x-request-id") != request_id:
            sent = [pair for pair in own.lines if pair[0] != "x-request-id"]
            sent.append(("x-request-id", request_id))
            own = RequestHeaders(sent)
        return Inbound(
            table,
            call,
            caller,
            request,
            own,
            request_id,
            endpoint.tail,
            endpoint.is_main,
            door.query,
            endpoint.path,
            other,
        )

    async def _body(self, asked: Arrival) -> bytes | bytearray:
        """Return the body, unpacked. Raises `InvalidRequest` and its kin."""
        door = asked.door
        # read first, refused after: a connection whose request was not read cannot be used again
        body = await door.body(self.intake, asked.task)
        for name in door.lost:
            if is_forwarded(name):
                raise HeaderUnreadable(name=name)
        if "content-encoding" in asked.headers and (packed_with := codings(asked.headers.lines)):
            return await asyncio.to_thread(unpack, body, packed_with, asked.table.config.server.max_body_size)
        return body


def _check_media_type(endpoint: Endpoint, content_type: str) -> None:
    expected = "multipart/form-data" if endpoint.multipart else "application/json"
    if content_type == expected:
        return
    kind = content_type.partition(";")[0].strip().lower()
    if kind != expected and (kind or endpoint.multipart):
        raise UnsupportedMediaType(expected=expected, found=kind)


async def _fail(door: Door, form: ErrorForm, told: ToldError, shared: Headers) -> None:
    """Answer with an error, and headers beside its own, or break off if the head of another answer is out."""
    if door.started:
        await door.break_off()
        return
    body = msgspec.json.encode(form.whole(told))
    headers = {"content-type": "application/json", "x-request-id": told.request_id, **error_headers(told.error)}
    await door.whole(told.error.status, [*headers.items(), *shared], body)
