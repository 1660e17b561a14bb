"""A request to an endpoint of the OpenAI API, from its first byte to its last, whichever door it came through.

Bodies are peeked into and forwarded as they came.
"""

import asyncio
import logging
import os
import re
import secrets
from codecs import BOM_UTF8
from itertools import count
from typing import Final

import msgspec

from jairouter_cli.config.model import Locale
from jairouter_cli.config.token import admin_token
from jairouter_cli.errors import (
    HeaderUnreadable,
    InternalError,
    MethodNotAllowed,
    RequestError,
    ShuttingDown,
    UnsupportedMediaType,
)
from jairouter_cli.gateway.dispatch import dispatch
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.gateway.outbound import Inbound, is_forwarded, without
from jairouter_cli.observe.events import Completed
from jairouter_cli.payloads.headers import Headers
from jairouter_cli.payloads.peek import peek_json, peek_multipart
from jairouter_cli.payloads.request_coding import codings, unpack
from jairouter_cli.routing.call import Call
from jairouter_cli.web.auth.client_ip import client_ip
from jairouter_cli.web.auth.cors import allowing, is_preflight, preflight
from jairouter_cli.web.doors.body import Intake
from jairouter_cli.web.doors.departures import Departures
from jairouter_cli.web.doors.door import ClientLeft, Door
from jairouter_cli.web.errors import error_headers, negotiate
from jairouter_cli.web.v1.endpoints import Endpoint
from jairouter_cli.web.v1.forms import Form, Told, form_of
from jairouter_cli.web.v1.relay import relay

logger: Final = logging.getLogger("jairouter")

_REQUEST_ID: Final = re.compile(r"[\x21-\x7e]{1,128}")


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

    async def answer(self, endpoint: Endpoint, door: Door) -> None:
        """Answer, whatever happens; a page of another origin is told whether it may have the answer."""
        headers = dict(door.headers)
        if (origin := headers.get("origin")) is None:
            await self._answer(endpoint, door, headers, ())
            return
        allowed = self._gateway.table.config.server.cors.allowed_origins
        if is_preflight(door.method, headers):
            await door.whole(*preflight(headers, allowed, "POST"), b"")
        else:
            await self._answer(endpoint, door, headers, allowing(origin, allowed))

    async def _answer(self, endpoint: Endpoint, door: Door, headers: dict[str, str], shared: Headers) -> None:
        """Answer with these headers among others; a failure before the head is sent becomes an error answer."""
        request_id = self._request_id(headers.get("x-request-id"))
        form, presence = form_of(endpoint.path), self.departures.enter()

        def locale() -> Locale:
            return negotiate(headers.get("accept-language"), self._gateway.table.config.server.locale)

        try:
            inbound = await self._admit(endpoint, door, headers, request_id)
            self.departures.watch(presence, door)
            reply = await dispatch(self._gateway, inbound)
            reply.extra = [*reply.extra, *shared]
            await relay(reply, door, form, locale, self._gateway.table.config.webclient.heartbeat_interval_s)
        except RequestError as error:
            if not presence.left:
                await _fail(door, form, Told(error, locale(), request_id), shared)
        except ClientLeft:
            pass
        except asyncio.CancelledError:
            if not presence.left:
                if not self._gateway.drain.is_over:
                    raise
                if not door.started:  # not even read; the others have been told
                    await _fail(door, form, Told(ShuttingDown(), locale(), request_id), shared)
        except Exception:
            logger.exception("bug while answering request %s", request_id)
            await _fail(door, form, Told(InternalError(), locale(), request_id), shared)
        finally:
            presence.over()

    def _request_id(self, given: str | None) -> str:
        """Keep a client's id if it is fit for a header and a log line, else make one."""
        if given and _REQUEST_ID.fullmatch(given):
            return given
        return f"req_{self._origin}{next(self._number):08x}"

    def _client(self, door: Door) -> str:
        return client_ip(door.client_ip, door.headers, self._gateway.table.config.server.trusted_proxies)

    async def _admit(self, endpoint: Endpoint, door: Door, headers: dict[str, str], request_id: str) -> Inbound:
        """Read the request whole; what cannot be used is reported here, as nobody else sees it. Raises as `_read`."""
        began = self._gateway.clock()
        try:
            return await self._read(endpoint, door, headers, request_id)
        except RequestError as error:
            call = Call(endpoint.service, "", self._client(door))
            lasted_s = self._gateway.clock() - began
            told = Completed(call, request_id, error.status, "failed", (), lasted_s, path=endpoint.path)
            told = told._replace(head_s=lasted_s, method=door.method)
            self._gateway.report(told)
            if (tracer := self._gateway.tracer) is not None:
                tracer.begin(door.headers, lasted_s).end(told, "")
            raise

    async def _read(self, endpoint: Endpoint, door: Door, headers: dict[str, str], request_id: str) -> Inbound:
        """Read the request whole. Raises `InvalidRequest` and its kin."""
        if door.method != "POST":
            raise MethodNotAllowed(method=door.method, path=door.path, allowed="POST")
        body = await self._body(door, headers)
        content_type = headers.get("content-type", "")
        _check_media_type(endpoint, content_type)
        if not endpoint.multipart and body[:3] == BOM_UTF8:
            body = body[3:]  # a parser may ignore it (RFC 8259, 8.1), and some backends' do not
        peeked = peek_multipart(body, content_type) if endpoint.multipart else peek_json(body)
        call = Call(endpoint.service, peeked.model, self._client(door), peeked.stream)
        sent, said = door.headers, headers
        if (token := admin_token(self._gateway.table.config.server, os.environ)) is not None:
            sent = without(sent, token)
            said = dict(sent)
        if headers.get("x-request-id") != request_id:
            sent = [pair for pair in sent if pair[0] != "x-request-id"]
            sent.append(("x-request-id", request_id))
        credential = said.get("authorization") or said.get("x-api-key", "")
        path, query = endpoint.path, door.query
        return Inbound(call, endpoint.tail, endpoint.is_main, query, sent, body, request_id, path, credential)

    async def _body(self, door: Door, headers: dict[str, str]) -> bytes | bytearray:
        """Return the body, unpacked. Raises `InvalidRequest` and its kin."""
        # read first, refused after: a connection whose request was not read cannot be used again
        body = await door.body(self.intake)
        for name in door.lost:
            if is_forwarded(name):
                raise HeaderUnreadable(name=name)
        if "content-encoding" in headers and (packed_with := codings(door.headers)):
            return await asyncio.to_thread(unpack, body, packed_with, self._gateway.table.config.server.max_body_size)
        return body


def _check_media_type(endpoint: Endpoint, content_type: str) -> None:
    expected = "multipart/form-data" if endpoint.multipart else "application/json"
    if content_type == expected:
        return
    kind = content_type.partition(";")[0].strip().lower()
    if kind != expected and (kind or endpoint.multipart):
        raise UnsupportedMediaType(expected=expected, found=kind)


async def _fail(door: Door, form: Form, told: Told, shared: Headers) -> None:
    """Answer with an error, and headers beside its own, or break off if the head of another answer is out."""
    if door.started:
        await door.break_off()
        return
    body = msgspec.json.encode(form.whole(told))
    headers = {"content-type": "application/json", "x-request-id": told.request_id, **error_headers(told.error)}
    await door.whole(told.error.status, [*headers.items(), *shared], body)
