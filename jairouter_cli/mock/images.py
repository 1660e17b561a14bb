"""`/v1/images/*`: pictures with colours derived from the request, in the response or as links to this server."""

import asyncio
import base64
import hashlib
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from msgspec import Meta, Struct

from jairouter_cli.mock import media
from jairouter_cli.mock.body import JSON, MockRequest, Model, files, read_form, read_json
from jairouter_cli.request_errors import MissingParameter

_EDITS: Final = "/v1/images/edits"
_VARIATIONS: Final = "/v1/images/variations"
_NAME: Final = re.compile(r"([0-9a-f]{16})-(\d{1,4})x(\d{1,4})")
_DEFAULT_SIDE: Final = 256  # smaller than OpenAI's, so that an answer can be looked at in a terminal

Size = Annotated[str, Meta(pattern=r"^(auto|[1-9][0-9]{0,3}x[1-9][0-9]{0,3})$")]


class ImageRequest(Struct, frozen=True):
    """What is looked at of an image request, JSON or form."""

    model: Model
    prompt: str | None = None
    n: Annotated[int, Meta(ge=1, le=10)] | None = None
    size: Size | None = None
    response_format: Literal["b64_json", "url"] | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that is drawn from its name alone, so that nothing has to be kept. Sides go up to 1024 pixels."""

    seed: str
    width: int
    height: int

    @classmethod
    def named(cls, name: str) -> "Picture | None":
        """Return the picture of that name; None if no picture is called so."""
        found = _NAME.fullmatch(name)
        return cls(found[1], int(found[2]), int(found[3])) if found else None

    @property
    def name(self) -> str:
        """What it is called in a link, without the extension."""
        return f"{self.seed}-{self.width}x{self.height}"

    def drawn(self) -> bytes:
        """Return the picture as PNG."""
        return media.png(self.seed, self.width, self.height)


@post("/v1/images/generations", status_code=200)
async def generations(request: MockRequest) -> Response[JSON]:
    """Pictures whose colours follow from the prompt."""
    asked = await read_json(request, ImageRequest)
    return await _answer(request, asked, [_prompt(asked)])


@post([_EDITS, _VARIATIONS], status_code=200)
async def edits(request: MockRequest) -> Response[JSON]:
    """Pictures whose colours follow from the pictures that were sent and, for edits, the prompt."""
    asked, form = await read_form(request, ImageRequest)
    prompt = _prompt(asked) if request.url.path == _EDITS else ""
    sent = [hashlib.sha256(await file.read()).hexdigest() for file in files(form, "image", "image[]")]
    return await _answer(request, asked, [prompt, *sent])


def _prompt(asked: ImageRequest) -> str:
    if asked.prompt is None:
        raise MissingParameter("prompt")
    return asked.prompt


async def _answer(request: MockRequest, asked: ImageRequest, sources: Sequence[str]) -> Response[JSON]:
    width, height = _sides(asked.size)
    pictures = [Picture(_seed([*sources, str(number)]), width, height) for number in range(asked.n or 1)]
    if asked.response_format == "url":
        data = [{"url": f"{request.base_url}images/{picture.name}.png"} for picture in pictures]
    else:
        data = await asyncio.to_thread(_embedded, pictures)
    return Response({"created": int(time.time()), "data": data, "output_format": "png", "size": f"{width}x{height}"})


def _embedded(pictures: Sequence[Picture]) -> list[dict[str, str]]:
    return [{"b64_json": base64.b64encode(picture.drawn()).decode()} for picture in pictures]


def _sides(size: str | None) -> tuple[int, int]:
    """Return width and height; what is too large becomes as large as can be, and the answer's `size` says so."""
    if size in {None, "auto"}:
        return _DEFAULT_SIDE, _DEFAULT_SIDE
    width, height = (min(int(side), media.MAX_SIDE) for side in str(size).split("x"))
    return width, height


def _seed(sources: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(sources).encode()).hexdigest()[:16]


@get("/images/{file:str}", sync_to_thread=True)
def picture(request: MockRequest) -> Response[bytes]:
    """Show a picture that an answer linked to."""
    file = str(request.path_params["file"])
    found = Picture.named(file.removesuffix(".png")) if file.endswith(".png") else None
    if found is None:
        raise NotFoundException
    return Response(found.drawn(), media_type="image/png")
