"""The official OpenAI package against `jairouter serve --demo`: every service, synchronous, asynchronous, streaming."""

import asyncio
import io
import wave
from collections.abc import Iterator

import httpx
import openai
import pytest

from tests.process import Served, serving


@pytest.fixture(scope="module")
def demo() -> Iterator[Served]:
    """Run the demo: the gateway and the mock model server behind it."""
    with serving("--demo") as served:
        yield served


@pytest.fixture
def client(demo: Served) -> Iterator[openai.OpenAI]:
    """Return an SDK that is pointed at the gateway."""
    with openai.OpenAI(base_url=f"{demo.url}/v1", api_key="none", max_retries=0) as made:
        yield made


HELLO: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "user", "content": "Hello there"}]


def test_chat(client: openai.OpenAI) -> None:
    """One question, one answer, with usage."""
    answer = client.chat.completions.create(model="demo-chat", messages=HELLO)
    assert (answer.model, answer.choices[0].message.content) == ("demo-chat", "You said: Hello there")
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (2, 4)


def test_chat_streamed(client: openai.OpenAI) -> None:
    """Piece by piece, the usage at the end."""
    options: openai.types.chat.ChatCompletionStreamOptionsParam = {"include_usage": True}
    stream = client.chat.completions.create(model="demo-chat", messages=HELLO, stream=True, stream_options=options)
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert (text, chunks[-2].choices[0].finish_reason) == ("You said: Hello there", "stop")
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 6


def test_chat_asynchronous(demo: Served) -> None:
    """Twenty streams at once."""

    async def one(client: openai.AsyncOpenAI) -> str:
        stream = await client.chat.completions.create(model="demo-chat", messages=HELLO, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    async def all_of_them() -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"{demo.url}/v1", api_key="none", max_retries=0) as client:
            return await asyncio.gather(*(one(client) for _ in range(20)))

    assert asyncio.run(all_of_them()) == ["You said: Hello there"] * 20


def test_tools(client: openai.OpenAI) -> None:
    """A tool call passes, whole and streamed."""
    tool: openai.types.chat.ChatCompletionToolParam = {
        "type": "function",
        "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}},
    }
    answer = client.chat.completions.create(model="demo-chat", messages=HELLO, tools=[tool], tool_choice="required")
    calls = answer.choices[0].message.tool_calls
    assert calls is not None
    assert calls[0].type == "function"
    assert (answer.choices[0].finish_reason, calls[0].function.name) == ("tool_calls", "clock")
    stream = client.chat.completions.create(
        model="demo-chat", messages=HELLO, tools=[tool], tool_choice="required", stream=True
    )
    deltas = [chunk.choices[0].delta for chunk in stream]
    assert [delta.tool_calls[0].index for delta in deltas if delta.tool_calls] == [0]


def test_completions(client: openai.OpenAI) -> None:
    """The older endpoint, of the same instances."""
    assert client.completions.create(model="demo-chat", prompt="Hi").choices[0].text == "You said: Hi"
    stream = client.completions.create(model="demo-chat", prompt="Hi", stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream) == "You said: Hi"


def test_embeddings(client: openai.OpenAI) -> None:
    """The SDK asks for base64 and unpacks it."""
    answer = client.embeddings.create(model="demo-embedding", input=["a b", "a c"], dimensions=32)
    vectors = [item.embedding for item in answer.data]
    assert [len(vector) for vector in vectors] == [32, 32]
    assert sum(value * value for value in vectors[0]) == pytest.approx(1, abs=1e-5)


def test_speech_and_back(client: openai.OpenAI) -> None:
    """A real WAV comes out, and goes in again."""
    sound = client.audio.speech.create(model="demo-tts", voice="alloy", input="Hello there").content
    with wave.open(io.BytesIO(sound)) as file:
        assert file.getnframes() / file.getframerate() == pytest.approx(0.55)
    said = client.audio.transcriptions.create(model="demo-stt", file=("hello.wav", sound))
    assert said.text == f"hello.wav has {len(sound)} bytes"
    text = client.audio.transcriptions.create(model="demo-stt", file=("hello.wav", sound), response_format="text")
    assert text == f"hello.wav has {len(sound)} bytes\n"
    with pytest.warns(DeprecationWarning, match="deprecated"):
        translated = client.audio.translations.create(model="demo-stt", file=("hello.wav", sound))
    assert translated.text == said.text


def test_images(client: openai.OpenAI) -> None:
    """Real pictures, made, edited, and as links."""
    made = client.images.generate(model="demo-image", prompt="a cat", size="256x256", n=2, response_format="b64_json")
    assert made.data is not None
    assert len({image.b64_json for image in made.data}) == 2
    linked = client.images.generate(model="demo-image", prompt="a cat", response_format="url")
    assert linked.data is not None
    url = linked.data[0].url
    assert url is not None
    picture = httpx.get(url, trust_env=False).content
    assert picture.startswith(b"\x89PNG\r\n")
    edited = client.images.edit(model="demo-image-edit", image=[("a.png", picture), ("b.png", picture)], prompt="a dog")
    assert edited.data is not None
    assert edited.data[0].b64_json


def test_rerank(demo: Served) -> None:
    """No SDK of OpenAI's has it."""
    body = {"model": "demo-rerank", "query": "red fox", "documents": ["a blue dog", "the red fox"], "top_n": 1}
    assert demo.post("/v1/rerank", json=body).json()["results"] == [
        {"index": 1, "relevance_score": 1.0, "document": {"text": "the red fox"}}
    ]


def test_responses(client: openai.OpenAI) -> None:
    """The newer API, whole and streamed with named events."""
    assert client.responses.create(model="demo-chat", input="Hi").output_text == "You said: Hi"
    kinds = [event.type for event in client.responses.create(model="demo-chat", input="Hi", stream=True)]
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")


def test_moderations(client: openai.OpenAI) -> None:
    """Of the chat instances."""
    results = client.moderations.create(model="demo-chat", input=["fine", "forbidden"]).results
    assert [result.flagged for result in results] == [False, True]


def test_variations(client: openai.OpenAI) -> None:
    """An upload without a prompt."""
    with pytest.warns(DeprecationWarning, match="deprecated"):
        made = client.images.create_variation(model="demo-image-edit", image=b"picture", response_format="b64_json")
    assert made.data is not None
    assert made.data[0].b64_json


def test_messages(demo: Served) -> None:
    """Anthropic's API, whole and streamed."""
    body = {"model": "demo-chat", "max_tokens": 2, "messages": HELLO}
    answer = demo.post("/v1/messages", json=body).json()
    assert (answer["content"], answer["stop_reason"]) == ([{"type": "text", "text": "You said:"}], "max_tokens")
    stream = demo.post("/v1/messages", json={**body, "stream": True}).text
    assert stream.startswith("event: message_start\ndata: ")
    assert stream.endswith('data: {"type":"message_stop"}\n\n')
    assert demo.post("/v1/messages/count_tokens?beta=true", json=body).json()["input_tokens"] > 0


@pytest.mark.parametrize("path", ["/rerank", "/v2/rerank", "/v1/rerank"])
def test_the_paths_of_rerank(demo: Served, path: str) -> None:
    """Clients of vLLM and Cohere use others."""
    assert demo.post(path, json={"model": "demo-rerank", "query": "a", "documents": ["a"]}).json()["results"]


def test_score(demo: Served) -> None:
    """Of the rerank instances."""
    body = {"model": "demo-rerank", "text_1": "red fox", "text_2": ["a fox", "a dog"]}
    scores = [item["score"] for item in demo.post("/v1/score", json=body).json()["data"]]
    assert scores[0] > scores[1] == 0


def test_models(client: openai.OpenAI) -> None:
    """Those that are configured, by list and by name."""
    names = [model.id for model in client.models.list()]
    assert names == [
        "demo-chat",
        "demo-embedding",
        "demo-rerank",
        "demo-tts",
        "demo-stt",
        "demo-image",
        "demo-image-edit",
    ]
    assert client.models.retrieve("demo-chat").owned_by == "jairouter"


def test_errors_are_the_sdks_own(client: openai.OpenAI) -> None:
    """Each status becomes the exception that the SDK has for it."""
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="nobody", messages=HELLO)
    assert (missing.value.type, missing.value.param) == ("not_found", "model")
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nobody")
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="", messages=HELLO)
