"""Putting another model's name into a request, and touching nothing else of it."""

import json
from typing import Final

from multipart import MultipartSegment, PushMultipartParser, parse_options_header

from jairouter_cli.payloads.members import members

MOST_PARTS: Final = 1000  # of a form; it has a dozen, and each is many steps of ours


def rename_json(body: bytes | bytearray, model: str) -> bytes:
    """Replace the value of the object's own `model`, each if there are several; the body was found good before.

    Raises `InvalidRequest` for more members than requests have.
    """
    name = json.dumps(model, ensure_ascii=False).encode("utf-8", "replace")
    out, done = [], 0
    for member in members(body):
        if member.name == "model":
            value = bytes(body[member.start : member.end]).rstrip()  # the spaces behind it stay
            out += [body[done : member.start], name]
            done = member.start + len(value)
    return b"".join([*out, body[done:]])


def rename_form(body: bytes | bytearray, content_type: str, model: str) -> bytes:
    """Replace the content of a form's fields called `model`; the form was found good before."""
    _, options = parse_options_header(content_type)
    delimiter = b"\r\n--" + options["boundary"].encode()
    out, done = [], 0
    at = body.index(delimiter[2:])  # what stands before the first one is no part (RFC 2046, 5.1.1)
    for segment, size in _segments(body, options["boundary"]):
        # content begins behind the blank line, and ends before the next delimiter
        start = body.index(b"\r\n\r\n", at) + 4
        end = start + size
        at = body.index(delimiter, end) + 2
        if segment.name == "model" and not segment.filename:
            out += [body[done:start], model.encode()]
            done = end
    return b"".join([*out, body[done:]])


def _segments(body: bytes | bytearray, boundary: str) -> list[tuple[MultipartSegment, int]]:
    """Return the parts of a form, each with the length of its content."""
    found: list[tuple[MultipartSegment, int]] = []
    with PushMultipartParser(boundary, content_length=len(body)) as parser:
        for event in parser.parse(body):
            if isinstance(event, MultipartSegment):
                found.append((event, 0))
            elif event is not None:
                segment, size = found[-1]
                found[-1] = segment, size + len(event)
    return found
