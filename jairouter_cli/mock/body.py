"""Parses request bodies, JSON and multipart forms, into structs; errors name the field."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final, TypeVar

import msgspec
from litestar import Request
from litestar.datastructures import FormMultiDict, UploadFile

from jairouter_cli.request_errors import InvalidParameter, InvalidRequest, MissingParameter

Shape = TypeVar("Shape")

JSON = dict[str, object]
MockRequest = Request[Any, Any, Any]
Model = Annotated[str, msgspec.Meta(min_length=1)]

# msgspec's way to say what is wrong, and where.
_PROBLEM: Final = re.compile(r"(?P<problem>.*?)(?: - at `\$\.?(?P<path>.*)`)?", re.DOTALL)
_MISSING: Final = re.compile(r"Object missing required field `(.+)`")

# Besides what msgspec itself raises: text that is not UTF-8 or of an unknown charset, brackets a thousand deep.
_FOREIGN: Final = (msgspec.DecodeError, UnicodeDecodeError, LookupError, RecursionError)


async def read_json(request: MockRequest, shape: type[Shape]) -> Shape:
    """Return the body as a struct; fields that it has not are ignored. Raises `InvalidRequest`."""
    body = await request.body()
    with _translated():
        return msgspec.json.decode(body, type=shape)


async def read_form(request: MockRequest, shape: type[Shape]) -> tuple[Shape, FormMultiDict]:
    """Return the fields of a form as a struct, and the form, which has the files. Raises `InvalidRequest`."""
    with _translated():
        form = await request.form()
        return msgspec.convert(dict(form), shape, strict=False), form


def files(form: FormMultiDict, *names: str) -> list[UploadFile]:
    """Return the files of a form under any of the names. Raises `MissingParameter` if there are none."""
    found = [file for name in names for file in form.getall(name, []) if isinstance(file, UploadFile)]
    if not found:
        raise MissingParameter(names[0])
    return found


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except _FOREIGN as error:
        raise _fault(str(error)) from error


def _fault(problem: str) -> InvalidRequest:
    """Return the error that names the field at fault, where one is."""
    found = _PROBLEM.fullmatch(problem)
    what, where = (found["problem"], found["path"] or "") if found else (problem, "")
    if missing := _MISSING.fullmatch(what):
        return MissingParameter(f"{where}.{missing[1]}".lstrip("."))
    return InvalidParameter(where, what) if where else InvalidRequest(problem=what)
