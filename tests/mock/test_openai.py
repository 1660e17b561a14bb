"""The official OpenAI package against the mock model server."""

import base64
import io
import json
import math
import struct
import wave
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionFunctionToolParam, ChatCompletionMessageParam

from tests.mock.pictures import read_png
from tests.mock.running import Mock

HELLO: list[ChatCompletionMessageParam] = [
    {"role": "system", "content": "Be kind"},
    {"role": "user", "content": [{"type": "text", "text": "Hello there"}]},
]
WEATHER: ChatCompletionFunctionToolParam = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city", "days"],
        },
    },
}


def test_chat(client: OpenAI) -> None:
    """As many answers as were asked for, and what they cost."""
    answer = client.chat.completions.create(model="any/name", messages=HELLO, n=2)
    assert [(choice.index, choice.message.content, choice.finish_reason) for choice in answer.choices] == [
        (0, "You said: Hello there", "stop"),
        (1, "You said: Hello there", "stop"),
    ]
    assert (answer.model, answer.object) == ("any/name", "chat.completion")
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (4, 8, 12)


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
def test_chat_cut_short(client: OpenAI, limit: str) -> None:
    """By either name of the limit."""
    limited: dict[str, Any] = {limit: 3}
    (choice,) = client.chat.completions.create(model="m", messages=HELLO, **limited).choices
    assert (choice.message.content, choice.finish_reason) == ("You said: Hello", "length")


def test_chat_streamed(client: OpenAI) -> None:
    """The SDK's own collector understands it: a word at a time, usage at the end."""
    with client.chat.completions.stream(
        model="m", messages=HELLO, n=2, stream_options={"include_usage": True}
    ) as stream:
        chunks = [event.chunk for event in stream if event.type == "chunk"]
        answer = stream.get_final_completion()
    assert [choice.message.content for choice in answer.choices] == ["You said: Hello there"] * 2
    assert [choice.finish_reason for choice in answer.choices] == ["stop", "stop"]
    assert answer.usage is not None
    assert answer.usage.total_tokens == 12
    assert len({(chunk.id, chunk.created, chunk.object) for chunk in chunks}) == 1


def test_tool(client: OpenAI) -> None:
    """Called because it must be, with what its parameters require."""
    answer = client.chat.completions.create(model="m", messages=HELLO, tools=[WEATHER], tool_choice="required")
    (choice,) = answer.choices
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
    (call,) = choice.message.tool_calls or []
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Hello there", "days": 1})


def test_tool_streamed(client: OpenAI) -> None:
    """Piece by piece the same arguments."""
    with client.chat.completions.stream(
        model="m", messages=HELLO, tools=[WEATHER], tool_choice={"type": "function", "function": {"name": "weather"}}
    ) as stream:
        answer = stream.get_final_completion()
    (choice,) = answer.choices
    (call,) = choice.message.tool_calls or []
    assert (choice.finish_reason, call.function.name) == ("tool_calls", "weather")
    assert json.loads(call.function.arguments) == {"city": "Hello there", "days": 1}


def test_tool_that_need_not_be_called(client: OpenAI) -> None:
    """Is not."""
    (choice,) = client.chat.completions.create(model="m", messages=HELLO, tools=[WEATHER]).choices
    assert (choice.message.content, choice.message.tool_calls) == ("You said: Hello there", None)


def test_completions(client: OpenAI) -> None:
    """A choice for each prompt, each time."""
    answer = client.completions.create(model="m", prompt=["Hi", "Go on now"], n=2, max_tokens=4)
    assert [(choice.index, choice.text, choice.finish_reason) for choice in answer.choices] == [
        (0, "You said: Hi", "stop"),
        (1, "You said: Hi", "stop"),
        (2, "You said: Go on", "length"),
        (3, "You said: Go on", "length"),
    ]
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (4, 14)


def test_completions_streamed(client: OpenAI) -> None:
    """Word by word, then why it ended, then what it cost."""
    stream = client.completions.create(model="m", prompt="Hi", stream=True, stream_options={"include_usage": True})
    *said, last = stream
    assert [(chunk.choices[0].text, chunk.choices[0].finish_reason) for chunk in said] == [
        ("You", None),
        (" said:", None),
        (" Hi", None),
        ("", "stop"),
    ]
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.total_tokens == 4


def test_embeddings(client: OpenAI) -> None:
    """Both encodings say the same, up to the floats' width; equal texts have equal vectors."""
    packed = client.embeddings.create(model="m", input=["red fox", "blue whale", "red fox"])
    plain = client.embeddings.create(model="m", input=["red fox"], encoding_format="float")
    one, other, same = (item.embedding for item in packed.data)
    assert one == same != other
    assert one == pytest.approx(plain.data[0].embedding, abs=1e-6)
    assert math.hypot(*one) == pytest.approx(1, abs=1e-6)
    assert len(one) == 64
    assert packed.usage.prompt_tokens == 6


@pytest.mark.parametrize(("given", "count"), [("a", 1), ([5, 6, 7], 1), ([[5, 6], [7]], 2)])
def test_embeddings_of_every_kind_of_input(client: OpenAI, given: Any, count: int) -> None:
    """A text, tokens, several times tokens; as long as is wanted."""
    answer = client.embeddings.create(model="m", input=given, dimensions=7)
    assert [(item.index, len(item.embedding)) for item in answer.data] == [(index, 7) for index in range(count)]


def test_speech(client: OpenAI) -> None:
    """A WAV that lasts as long as its text, whatever was asked for; the samples alone as `pcm`."""
    sounds = {
        form: client.audio.speech.create(model="m", voice="alloy", input="Hello there", response_format=form)
        for form in ("mp3", "wav", "pcm")
    }
    types = {form: sound.response.headers["content-type"] for form, sound in sounds.items()}
    assert types == {"mp3": "audio/wav", "wav": "audio/wav", "pcm": "audio/pcm"}
    assert sounds["mp3"].content == sounds["wav"].content
    with wave.open(io.BytesIO(sounds["wav"].content)) as file:
        assert file.getnframes() / file.getframerate() == 0.55
        assert file.readframes(file.getnframes()) == sounds["pcm"].content


def test_transcription(client: OpenAI) -> None:
    """Its length is read from the sound itself."""
    sound = client.audio.speech.create(model="m", voice="alloy", input="Hello there").content
    said = f"hello.wav has {len(sound)} bytes"
    answer = client.audio.transcriptions.create(
        model="m", file=("hello.wav", sound), response_format="verbose_json", timestamp_granularities=["segment"]
    )
    assert (answer.text, answer.duration, answer.language) == (said, 0.55, "english")
    assert [(segment.start, segment.end, segment.text) for segment in answer.segments or []] == [(0, 0.55, said)]


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("text", "a.bin has 5 bytes\n"),
        ("srt", "1\n00:00:00,000 --> 00:00:00,000\na.bin has 5 bytes\n\n"),
        ("vtt", "WEBVTT\n\n00:00:00.000 --> 00:00:00.000\na.bin has 5 bytes\n\n"),
    ],
)
def test_transcription_as_text(client: OpenAI, form: Any, text: str) -> None:
    """Plain, and both kinds of subtitles."""
    assert client.audio.transcriptions.create(model="m", file=("a.bin", b"12345"), response_format=form) == text


def test_images(client: OpenAI) -> None:
    """As many and as large as they were asked for, each another."""
    answer = client.images.generate(model="m", prompt="a cat", size="40x30", n=2)
    pictures = [base64.b64decode(image.b64_json or "") for image in answer.data or []]
    assert [read_png(picture)[:2] for picture in pictures] == [(40, 30), (40, 30)]
    assert (len(set(pictures)), answer.size, answer.output_format) == (2, "40x30", "png")


def test_images_as_links(client: OpenAI) -> None:
    """A link shows the picture that would have been in the answer."""
    inside = client.images.generate(model="m", prompt="a cat", size="auto")
    linked = client.images.generate(model="m", prompt="a cat", response_format="url")
    (image,), (link,) = inside.data or [], linked.data or []
    assert link.url is not None
    shown = httpx.get(link.url, trust_env=False)
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/png")
    assert shown.content == base64.b64decode(image.b64_json or "")


def test_images_have_bounds(client: OpenAI) -> None:
    """What is too large becomes as large as can be, and the answer says so."""
    answer = client.images.generate(model="m", prompt="a cat", size="1792x16")
    (image,) = answer.data or []
    assert read_png(base64.b64decode(image.b64_json or ""))[:2] == (1024, 16)
    assert answer.size == "1024x16"


def test_edits(client: OpenAI) -> None:
    """One picture or several, with a mask or without: all that was sent matters."""
    one, two = ("a.png", b"one"), ("b.png", b"two")
    answers = [
        client.images.edit(model="m", image=one, prompt="a dog", size="16x16"),
        client.images.edit(model="m", image=one, prompt="a dog", size="16x16", mask=two),
        client.images.edit(model="m", image=[one, two], prompt="a dog", size="16x16"),
        client.images.edit(model="m", image=[one, two], prompt="a cat", size="16x16"),
    ]
    pictures = [base64.b64decode(image.b64_json or "") for answer in answers for image in answer.data or []]
    assert [read_png(picture)[:2] for picture in pictures] == [(16, 16)] * 4
    assert pictures[0] == pictures[1]
    assert len(set(pictures)) == 3


def test_models(client: OpenAI) -> None:
    """Those of the demo, by list and by name."""
    names = [model.id for model in client.models.list()]
    assert names == [f"demo-{what}" for what in ("chat", "embedding", "rerank", "tts", "stt", "image", "image-edit")]
    assert client.models.retrieve("demo-tts").id == "demo-tts"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("some/other")


def test_base64_is_what_the_sdk_asks_for(mock: Mock) -> None:
    """On the wire: little-endian floats of four bytes."""
    body = {"model": "m", "input": "red fox", "dimensions": 3, "encoding_format": "base64"}
    packed = mock.post("/v1/embeddings", body).json()["data"][0]["embedding"]
    plain = mock.post("/v1/embeddings", body | {"encoding_format": "float"}).json()["data"][0]["embedding"]
    assert struct.unpack("<3f", base64.b64decode(packed)) == pytest.approx(plain, abs=1e-6)
