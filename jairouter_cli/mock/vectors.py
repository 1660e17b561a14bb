"""`/v1/embeddings` and `/v1/rerank`: texts are compared by the words they share."""

from typing import Annotated, Any, Literal

from litestar import Response, post
from msgspec import Meta, Struct

from jairouter_cli.mock import text
from jairouter_cli.mock.body import JSON, MockRequest, Model, read_json


class EmbeddingRequest(Struct, frozen=True):
    """What is looked at of an embedding request."""

    model: Model
    input: text.Input
    dimensions: Annotated[int, Meta(ge=1, le=4096)] | None = None
    encoding_format: Literal["float", "base64"] | None = None


class RankedDocument(Struct, frozen=True):
    """A document that is more than its text."""

    text: str


class RerankRequest(Struct, frozen=True):
    """What is looked at of a rerank request."""

    model: Model
    query: str
    documents: Annotated[list[str | RankedDocument], Meta(min_length=1)]
    top_n: Annotated[int, Meta(ge=1)] | None = None
    return_documents: bool | None = None


@post("/v1/embeddings", status_code=200)
async def embeddings(request: MockRequest) -> Response[JSON]:
    """Vectors that depend on the words of each input."""
    asked = await read_json(request, EmbeddingRequest)
    inputs = text.texts(asked.input)
    items = [
        {"object": "embedding", "index": index, "embedding": _encoded(one, asked)} for index, one in enumerate(inputs)
    ]
    read = sum(map(text.count_tokens, inputs))
    usage = {"prompt_tokens": read, "total_tokens": read}
    return Response({"object": "list", "data": items, "model": asked.model, "usage": usage})


def _encoded(one: str, asked: EmbeddingRequest) -> list[float] | str:
    vector = text.embedding(one, asked.dimensions or 64)
    return text.as_base64(vector) if asked.encoding_format == "base64" else vector


@post(["/v1/rerank", "/rerank", "/v2/rerank"], status_code=200)
async def rerank(request: MockRequest) -> Response[JSON]:
    """Rank the documents that have most of the query's words first; equal ones stay in their order."""
    asked = await read_json(request, RerankRequest)
    texts = [one if isinstance(one, str) else one.text for one in asked.documents]
    scored = [(text.relevance(asked.query, document), index) for index, document in enumerate(texts)]
    best = sorted(scored, key=lambda pair: (-pair[0], pair[1]))[: asked.top_n]
    shown = asked.return_documents is not False
    results: list[dict[str, Any]] = [
        {"index": index, "relevance_score": score} | ({"document": {"text": texts[index]}} if shown else {})
        for score, index in best
    ]
    read = sum(map(text.count_tokens, (asked.query, *texts)))
    usage = {"prompt_tokens": read, "total_tokens": read}
    return Response({"id": "rerank-mock", "model": asked.model, "results": results, "usage": usage})
