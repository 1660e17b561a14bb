"""`/v1/audio/*`: speech is a tone, a transcription is the file's name and size."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from litestar import Response, post
from litestar.response import Stream
from msgspec import Struct

from jairouter_cli.mock import media
from jairouter_cli.mock.answer import paced
from jairouter_cli.mock.body import JSON, MockRequest, Model, files, read_form, read_json

_PIECES: Final = 8  # of a sound that is streamed
_TASKS: Final = {"/v1/audio/transcriptions": "transcribe", "/v1/audio/translations": "translate"}


class SpeechRequest(Struct, frozen=True):
    """What is looked at of a speech request."""

    model: Model
    input: str
    response_format: str | None = None


class TranscriptForm(Struct, frozen=True):
    """What is looked at of a transcription's form, beside its file."""

    model: Model
    response_format: Literal["json", "text", "srt", "vtt", "verbose_json"] = "json"


@dataclass(frozen=True, slots=True)
class Transcript:
    """What is said about a sound."""

    task: str
    text: str
    seconds: float


@post("/v1/audio/speech", status_code=200)
async def speech(request: MockRequest) -> Stream:
    """Play a tone, as bare samples if `pcm` is asked for, else as WAV: this server has no other encoder."""
    asked = await read_json(request, SpeechRequest)
    samples = media.pcm(asked.input)
    is_pcm = asked.response_format == "pcm"
    sound = samples if is_pcm else media.wav(samples)
    step = -(-len(sound) // _PIECES)
    pieces = (sound[at : at + step] for at in range(0, len(sound), step))
    return Stream(paced(request, pieces), media_type="audio/pcm" if is_pcm else "audio/wav")


@post(list(_TASKS), status_code=200)
async def transcripts(request: MockRequest) -> Response[JSON] | Response[str]:
    """Tell the name and the size of what was sent."""
    asked, form = await read_form(request, TranscriptForm)
    file, *_ = files(form, "file")
    sound = await file.read()
    said = f"{file.filename} has {len(sound)} bytes"
    transcript = Transcript(_TASKS[request.url.path], said, media.wav_duration_s(sound) or 0.0)
    return _FORMATS[asked.response_format](transcript)


def _brief(transcript: Transcript) -> Response[JSON]:
    return Response({"text": transcript.text})


def _verbose(transcript: Transcript) -> Response[JSON]:
    segment: JSON = {
        "id": 0,
        "seek": 0,
        "start": 0.0,
        "end": transcript.seconds,
        "text": transcript.text,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": 0.0,
        "compression_ratio": 1.0,
        "no_speech_prob": 0.0,
    }
    about: JSON = {"task": transcript.task, "language": "english", "duration": transcript.seconds}
    return Response(about | {"text": transcript.text, "segments": [segment]})


def _plain(transcript: Transcript) -> Response[str]:
    return Response(f"{transcript.text}\n", media_type="text/plain")


def _srt(transcript: Transcript) -> Response[str]:
    cue = f"1\n00:00:00,000 --> {_clock(transcript.seconds, ',')}\n{transcript.text}\n\n"
    return Response(cue, media_type="text/plain")


def _vtt(transcript: Transcript) -> Response[str]:
    cue = f"00:00:00.000 --> {_clock(transcript.seconds, '.')}\n{transcript.text}\n\n"
    return Response(f"WEBVTT\n\n{cue}", media_type="text/vtt")


def _clock(seconds: float, point: str) -> str:
    whole, millis = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{point}{millis:03}"


_FORMATS: Final[Mapping[str, Callable[[Transcript], Response[JSON] | Response[str]]]] = {
    "json": _brief,
    "text": _plain,
    "srt": _srt,
    "vtt": _vtt,
    "verbose_json": _verbose,
}
