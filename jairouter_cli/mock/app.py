"""The pretend model server: OpenAI's endpoints over `text` and `media`."""

import asyncio
import base64
import random
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

import msgspec
from litestar import Litestar, Request, Response, get, post
from litestar.datastructures import UploadFile
from litestar.enums import RequestEncodingType
from litestar.exceptions import HTTPException
from litestar.params import Body
from litestar.response import Stream

from jairouter_cli.mock import media, text
from jairouter_cli.mock.behaviour import Behaviour
from jairouter_cli.mock.chat import chat_routes

MODELS: Final = (
    "demo-chat",
    "demo-embedding",
    "demo-rerank",
    "demo-tts",
    "demo-stt",
    "demo-image",
    "demo-image-edit",
)

_SOUND_PIECE_BYTES: Final = 16_384
_MAX_IMAGES: Final = 10
_MAX_DIMENSIONS: Final = 4096

Form = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.MULTI_PART)]


class EmbeddingRequest(msgspec.Struct):
    """What is looked at of an embedding request."""

    model: str
    input: str | list[Any]
    dimensions: Annotated[int, msgspec.Meta(ge=1, le=_MAX_DIMENSIONS)] = 64
    encoding_format: str = "float"


class RerankRequest(msgspec.Struct):
    """What is looked at of a rerank request."""

    model: str
    query: str
    documents: list[str | dict[str, Any]]
    top_n: int | None = None
    return_documents: bool = True


class SpeechRequest(msgspec.Struct):
    """What is looked at of a speech request."""

    model: str
    input: str
    response_format: str = "wav"


class ImageRequest(msgspec.Struct):
    """What is looked at of an image request."""

    model: str
    prompt: str
    n: Annotated[int, msgspec.Meta(ge=1, le=_MAX_IMAGES)] | None = None
    size: str | None = None
    response_format: str | None = None


def create(behaviour: Behaviour) -> Litestar:
    """Build the application."""
    rng = random.Random(behaviour.seed)

    async def misbehave(request: Request[Any, Any, Any]) -> Response[Any] | None:
        """Delay, and fail as often as is wanted."""
        if request.method != "POST":
            return None
        await asyncio.sleep(behaviour.delay_s)
        if rng.random() < behaviour.fail_rate:
            return _error(503, "the pretend model is overloaded", "overloaded_error")
        return None

    return Litestar(
        route_handlers=[*chat_routes(behaviour), *_routes()],
        before_request=misbehave,
        response_headers={"x-mock-backend": behaviour.name},
        exception_handlers={HTTPException: _refuse},
        openapi_config=None,
        logging_config=None,
    )


def _error(status: int, message: str, kind: str, param: str | None = None) -> Response[Any]:
    return Response({"error": {"message": message, "type": kind, "param": param, "code": None}}, status_code=status)


def _refuse(_: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """Answer a mistake as OpenAI does."""
    details = error.extra if isinstance(error.extra, list) else []
    param = next((str(detail.get("key")) for detail in details if isinstance(detail, dict)), None)
    message = "; ".join([error.detail, *(str(detail.get("message")) for detail in details if isinstance(detail, dict))])
    return _error(error.status_code, message, "invalid_request_error", param)


def _routes() -> list[Any]:
    audio = (speech, transcriptions, translations)
    images = (generations, edits, variations, picture)
    return [embeddings, rerank, *audio, *images, list_models, show_model, health]


@post("/v1/embeddings", status_code=200)
async def embeddings(data: EmbeddingRequest) -> Response[Any]:
    """Vectors that depend on the words of each input."""
    inputs = data.input if isinstance(data.input, list) and not _is_tokens(data.input) else [data.input]
    texts = [one if isinstance(one, str) else str(one) for one in inputs]
    vectors = [text.embedding(one, data.dimensions) for one in texts]
    encode = text.as_base64 if data.encoding_format == "base64" else list
    items = [{"object": "embedding", "index": index, "embedding": encode(v)} for index, v in enumerate(vectors)]
    used = sum(text.count_tokens(one) for one in texts)
    usage = {"prompt_tokens": used, "total_tokens": used}
    return Response({"object": "list", "data": items, "model": data.model, "usage": usage})


def _is_tokens(given: list[Any]) -> bool:
    """Whether a list is one input in tokens, not a list of inputs."""
    return bool(given) and isinstance(given[0], int)


@post(["/v1/rerank", "/rerank", "/v2/rerank"], status_code=200)
async def rerank(data: RerankRequest) -> Response[Any]:
    """Rank the documents that share most words with the query, first."""
    texts = [one if isinstance(one, str) else str(one.get("text", "")) for one in data.documents]
    scores = sorted(enumerate(texts), key=lambda pair: -text.relevance(data.query, pair[1]))
    results = [
        {"index": index, "relevance_score": text.relevance(data.query, document)}
        | ({"document": {"text": document}} if data.return_documents else {})
        for index, document in scores[: data.top_n]
    ]
    used = sum(text.count_tokens(one) for one in (data.query, *texts))
    return Response({"id": "rerank-mock", "model": data.model, "results": results, "usage": {"total_tokens": used}})


@post("/v1/audio/speech", status_code=200)
async def speech(data: SpeechRequest) -> Stream:
    """Play a tone, as WAV whatever was asked for, or as bare samples."""
    samples = media.pcm(data.input)
    is_pcm = data.response_format == "pcm"
    sound = samples if is_pcm else media.wav(samples)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(sound), _SOUND_PIECE_BYTES):
            yield sound[start : start + _SOUND_PIECE_BYTES]

    return Stream(pieces(), media_type="audio/pcm" if is_pcm else "audio/wav")


async def _transcript(form: dict[str, Any]) -> Response[Any]:
    """Tell what was sent, in the form that was asked for."""
    file = form.get("file")
    if not isinstance(file, UploadFile):
        return _error(400, "file is required", "invalid_request_error", "file")
    sound = await file.read()
    said = f"{file.filename} has {len(sound)} bytes"
    seconds = media.wav_duration_s(sound) or 0.0
    segment = {"id": 0, "start": 0.0, "end": seconds, "text": said}
    verbose = {"task": "transcribe", "language": "english", "duration": seconds, "text": said, "segments": [segment]}
    forms = {
        "text": (f"{said}\n", "text/plain"),
        "srt": (f"1\n00:00:00,000 --> {_clock(seconds, ',')}\n{said}\n\n", "text/plain"),
        "vtt": (f"WEBVTT\n\n00:00:00.000 --> {_clock(seconds, '.')}\n{said}\n\n", "text/vtt"),
        "verbose_json": (verbose, "application/json"),
    }
    body, media_type = forms.get(str(form.get("response_format")), ({"text": said}, "application/json"))
    return Response(body, media_type=media_type)


def _clock(seconds: float, point: str) -> str:
    millis = round(seconds * 1000)
    return f"{millis // 3600000:02}:{millis // 60000 % 60:02}:{millis // 1000 % 60:02}{point}{millis % 1000:03}"


@post("/v1/audio/transcriptions", status_code=200)
async def transcriptions(data: Form) -> Response[Any]:
    """Tell the name and the size of what was sent."""
    return await _transcript(data)


@post("/v1/audio/translations", status_code=200)
async def translations(data: Form) -> Response[Any]:
    """Tell the name and the size of what was sent."""
    return await _transcript(data)


def _images(request: Request[Any, Any, Any], prompt: str, options: dict[str, Any]) -> Response[Any]:
    """Return pictures, inside the answer or as links to this server."""
    size = str(options.get("size") or "256x256")
    count = min(int(options.get("n") or 1), _MAX_IMAGES)
    prompts = [f"{prompt} {number}" if number else prompt for number in range(count)]
    if options.get("response_format") == "url":
        names = [base64.urlsafe_b64encode(one.encode()[:512]).decode() for one in prompts]
        data = [{"url": f"{request.base_url}images/{size}/{name}.png"} for name in names]
    else:
        data = [{"b64_json": base64.b64encode(media.png(one, *_sides(size))).decode()} for one in prompts]
    return Response({"created": int(time.time()), "data": data})


def _sides(size: str) -> tuple[int, int]:
    width, _, height = size.partition("x")
    return (int(width), int(height)) if width.isdigit() and height.isdigit() else (256, 256)


@post("/v1/images/generations", status_code=200)
async def generations(request: Request[Any, Any, Any], data: ImageRequest) -> Response[Any]:
    """Pictures whose colours follow from the prompt."""
    options = {"n": data.n, "size": data.size, "response_format": data.response_format}
    return await asyncio.to_thread(_images, request, data.prompt, options)


async def _edited(request: Request[Any, Any, Any], form: dict[str, Any]) -> Response[Any]:
    given = form.get("image") or form.get("image[]")
    files = given if isinstance(given, list) else [given]
    if not all(isinstance(file, UploadFile) for file in files):
        return _error(400, "image is required", "invalid_request_error", "image")
    names = " ".join(file.filename for file in files if isinstance(file, UploadFile))
    return await asyncio.to_thread(_images, request, f"{names} {form.get('prompt', '')}", form)


@post("/v1/images/edits", status_code=200)
async def edits(request: Request[Any, Any, Any], data: Form) -> Response[Any]:
    """Pictures whose colours follow from the prompt and the names of what was sent."""
    return await _edited(request, data)


@post("/v1/images/variations", status_code=200)
async def variations(request: Request[Any, Any, Any], data: Form) -> Response[Any]:
    """Pictures whose colours follow from the names of what was sent."""
    return await _edited(request, data)


@get("/images/{size:str}/{name:str}", sync_to_thread=True)
def picture(size: str, name: str) -> Response[bytes]:
    """Show a picture that an answer linked to; it is drawn anew from its name."""
    return Response(media.png(name.removesuffix(".png"), *_sides(size)), media_type="image/png")


def _model(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "mock"}


@get("/v1/models")
async def list_models() -> dict[str, object]:
    """List the names that the demo uses; any other name is served, too."""
    return {"object": "list", "data": [_model(name) for name in MODELS]}


@get("/v1/models/{name:str}")
async def show_model(name: str) -> Response[Any]:
    """One of them."""
    known = name in MODELS
    return Response(_model(name)) if known else _error(404, f"no model '{name}'", "invalid_request_error", "model")


@get("/health")
async def health() -> dict[str, str]:
    """Tell that it runs."""
    return {"status": "ok"}
