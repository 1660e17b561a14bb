"""What the gateway must know of a body, and what of it is not its to judge."""

import pytest

from jairouter_cli.payloads.peek import Peeked, peek_json
from jairouter_cli.request_errors import InvalidParameter, InvalidRequest, MissingParameter
from tests.web.conftest import Front

ODD = {
    "half of a pair": b'{"model":"m","x":"cut \\ud83d"}',
    "the other half, in capitals": b'{"x":"\\uDC00 cut","model":"m"}',
    "halves in the wrong order": b'{"model":"m","x":["\\ude00\\ud83d"]}',
    "half of a pair in a name": b'{"\\ud83d":1,"model":"m"}',
    "no such escape": b'{"x":"\\\\ud83d\\ud83d","model":"m"}',
    "bytes that are no UTF-8": b'{"model":"m","x":"\xd6\xd0","\xff":1}',
    "a number without bounds": b'{"model":"m","x":1e400,"y":-1e-400}',
    "ten thousand digits": b'{"model":"m","x":' + b"1" * 10_000 + b"}",
    "members of one name": b'{"x":1,"x":2,"model":"m"}',
}


@pytest.mark.parametrize("body", ODD.values(), ids=ODD)
def test_what_is_skipped_is_not_judged(front: Front, body: bytes) -> None:
    """It reaches the backend byte for byte."""
    response = front.gateway.post("/v1/embeddings", content=body, headers={"content-type": "application/json"})
    assert (response.status_code, front.last.body) == (200, body)


def test_a_byte_order_mark_is_left_out(front: Front) -> None:
    """Some backends take it, others refuse it."""
    headers = {"content-type": "application/json"}
    response = front.gateway.post("/v1/embeddings", content=b'\xef\xbb\xbf{"model":"m"}', headers=headers)
    assert (response.status_code, front.last.body) == (200, b'{"model":"m"}')


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (b"\\ud83d\\ude00", "\U0001f600"),
        (b"\\uD83D\\uDE00", "\U0001f600"),
        (b"\\ue83d\\uf000", "\ue83d\uf000"),
        (b"a\\\\ud83d", "a\\ud83d"),
        (b"\\ud55c", "\ud55c"),
        ("é".encode(), "é"),
    ],
)
def test_the_name_of_a_model_is_read_as_it_stands(model: bytes, name: str) -> None:
    """Beside halves of pairs, too."""
    assert peek_json(b'{"model":"%s","stream":true}' % model) == Peeked(name, stream=True)
    assert peek_json(b'{"x":"\\ud83d","model":"%s"}' % model) == Peeked(name)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"model":"\\ud83d"}', InvalidParameter("model", "it is not valid Unicode")),
        (b'{"model":"a\\udc00"}', InvalidParameter("model", "it is not valid Unicode")),
        (b'{"model":"\xff"}', InvalidParameter("model", "it is not valid Unicode")),
        (b'{"model":1,"x":"\\ud83d"}', InvalidParameter("model", "Expected `str | null`, got `int`")),
        (b'{"stream":1,"x":"\\ud83d"}', InvalidParameter("stream", "Expected `bool | null`, got `int`")),
        (b'{"model":null,"x":"\\ud83d"}', MissingParameter("model")),
        (b'{"\\ud86dodel":"m"}', MissingParameter("model")),
        (b"[" * 100_000, InvalidRequest(problem="Expected `object`, got `array`")),
        (b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", InvalidRequest(problem="it is nested too deeply")),
        (b'{"x":' * 100_000, InvalidRequest(problem="it is nested too deeply")),
    ],
)
def test_what_will_not_do(body: bytes, error: InvalidRequest) -> None:
    """A model's name must be text; nothing is too deep for an answer."""
    with pytest.raises(InvalidRequest) as caught:
        peek_json(body)
    assert (type(caught.value), str(caught.value)) == (type(error), str(error))
