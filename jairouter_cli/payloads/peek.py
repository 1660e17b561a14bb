"""Finding what the gateway must know of a body (`model`, `stream`) without rebuilding it."""

import json
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from jairouter_cli.payloads.rename import MOST_PARTS
from jairouter_cli.payloads.shapes import CallMembers, RawCallMembers
from jairouter_cli.request_errors import InvalidParameter, InvalidRequest, MissingParameter, UnsupportedMediaType

_FIELD: Final = re.compile(r" - at `\$\.(\w+)")
_FEED_BYTES: Final = 1 << 16
_MAX_FIELD_BYTES: Final = 4096  # a model's name is short; more is an upload sent under the wrong name


_decoder: Final = msgspec.json.Decoder(CallMembers)
_raw_decoder: Final = msgspec.json.Decoder(RawCallMembers)

# Two kinds of characters that stand in the place of half ones, so that what has them can be read.
_STANDINS: Final = (b"e", b"f")


class Peeked(NamedTuple):
    """What was found in a body."""

    model: str
    stream: bool = False


def peek_json(body: bytes | bytearray) -> Peeked:
    """Find `model` and `stream` in a JSON object. Raises `InvalidRequest` and its kin."""
    if not body:
        raise InvalidRequest(problem="the body is empty, expected a JSON object")
    try:
        fields = _decode(body)
    except msgspec.ValidationError as error:
        raise _wrong_type(str(error)) from None
    except UnicodeError:
        raise InvalidParameter("model", "it is not valid Unicode") from None
    except RecursionError:
        raise InvalidRequest(problem="it is nested too deeply") from None
    except msgspec.DecodeError as error:
        raise InvalidRequest(problem=str(error)) from None
    if not fields.model or fields.model.isspace():
        raise MissingParameter("model")
    return Peeked(fields.model, bool(fields.stream))


def _decode(body: bytes | bytearray) -> CallMembers:
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        if b"\\ud" not in body and b"\\uD" not in body:
            raise
    return _decode_with_halves(body)


def _decode_with_halves(body: bytes | bytearray) -> CallMembers:
    """Decode a body that may have halves of surrogate pairs, escaped: JSON allows them, the decoder does not.

    It is read twice, with other characters in their places, and where the two texts of `model` differ, there was one.
    Only `model` must do without. Raises `UnicodeError` if it does not, and as the decoder does.
    """
    first, second = (
        _raw_decoder.decode(bytes(body).replace(b"\\ud", b"\\u" + one).replace(b"\\uD", b"\\u" + one))
        for one in _STANDINS
    )
    pairs = zip(bytes(first.model), bytes(second.model), strict=True)
    model = bytes(one if one == other else ord("d") for one, other in pairs)
    name = json.loads(model) if model else None
    if isinstance(name, str):
        name.encode()
    return msgspec.convert({"model": name, "stream": first.stream}, CallMembers)


def _wrong_type(text: str) -> InvalidRequest:
    if match := _FIELD.search(text):
        return InvalidParameter(match[1], text[: match.start()])
    return InvalidRequest(problem=text)


def peek_multipart(body: bytes | bytearray, content_type: str) -> Peeked:
    """Find `model` among the parts of a form. Raises `InvalidRequest` and its kin."""
    kind, options = parse_options_header(content_type)
    if kind != "multipart/form-data" or not options.get("boundary"):
        raise UnsupportedMediaType(expected="multipart/form-data with a boundary", found=content_type)
    try:
        model = _form_field(body, options["boundary"], "model")
    except MultipartError as error:
        raise InvalidRequest(problem=f"not a valid multipart form: {error}") from None
    if not model or model.isspace():
        raise MissingParameter("model")
    return Peeked(model)


def walk(parser: PushMultipartParser, body: bytes | bytearray) -> Iterator[MultipartSegment | bytes | None]:
    """Yield the events of a whole form, which is fed in pieces: the parser copies what it is given."""
    view = memoryview(body)
    for start in range(0, len(body), _FEED_BYTES):
        yield from parser.parse(bytes(view[start : start + _FEED_BYTES]))


def _form_field(body: bytes | bytearray, boundary: str, name: str) -> str | None:
    """Return the first field of that name. Every part is walked, so that a broken form is refused here."""
    found: bytearray | None = None
    inside = False
    with PushMultipartParser(boundary, content_length=len(body), max_segment_count=MOST_PARTS) as parser:
        for event in walk(parser, body):
            if isinstance(event, MultipartSegment):
                inside = event.name == name and not event.filename and found is None
                found = bytearray() if inside else found
            elif event is not None and inside and found is not None and len(found) < _MAX_FIELD_BYTES:
                found += event
    return None if found is None else found.decode("utf-8", "replace")
