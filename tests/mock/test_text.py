"""What the mock models say."""

import base64
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jairouter_cli.mock import text
from jairouter_cli.mock.text import Message, Part

anything = st.text(max_size=40)
dimensions = st.integers(1, 300)


def closeness(one: str, other: str) -> float:
    """Return the cosine of the angle between two texts."""
    return sum(a * b for a, b in zip(text.embedding(one), text.embedding(other), strict=True))


@given(anything)
def test_words_lose_nothing(said: str) -> None:
    """Joined they are the text again, but for the space at its end."""
    assert "".join(text.words(said)) == said.rstrip()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("", []),
        (" \n", []),
        ("Hello,  there ", ["Hello,", "  there"]),
        ("你好 world", ["你", "好", " world"]),
        ("x一y", ["x", "一", "y"]),
    ],
)
def test_words(said: str, words: list[str]) -> None:
    """Cut at spaces, and between characters of scripts that have none."""
    assert text.words(said) == words
    assert text.count_tokens(said) == len(words)


@pytest.mark.parametrize(
    ("question", "most", "answer"),
    [
        ("a b", None, (["You", " said:", " a", " b"], "stop")),
        ("a b", 4, (["You", " said:", " a", " b"], "stop")),
        ("a b", 3, (["You", " said:", " a"], "length")),
        (" ", 1, (["Hello!"], "length")),
    ],
)
def test_reply(question: str, most: int | None, answer: tuple[list[str], str]) -> None:
    """The question again, cut where it must be; a greeting to those who ask nothing."""
    assert text.reply(question, most) == answer


def test_last_user_text() -> None:
    """Of the user's last turn, whatever came after it; what is no text is named."""
    asked = Message("user", [Part("text", "What is"), Part("image_url")])
    assert text.last_user_text([Message("user", "no"), asked, Message("assistant")]) == "What is [image_url]"
    assert text.last_user_text([Message("system", "Be kind")]) == ""


@pytest.mark.parametrize(
    ("given", "texts"),
    [
        ("a b", ["a b"]),
        (["a", "b"], ["a", "b"]),
        ([1, 2], ["1 2"]),
        ([[1, 2], [3]], ["1 2", "3"]),
    ],
)
def test_inputs(given: text.Input, texts: list[str]) -> None:
    """The four forms that OpenAI's endpoints take."""
    assert text.texts(given) == texts


@given(anything, dimensions)
def test_embedding(said: str, size: int) -> None:
    """Of length one, and the same each time."""
    vector = text.embedding(said, size)
    assert (len(vector), vector) == (size, text.embedding(said, size))
    assert math.isclose(math.hypot(*vector), 1)


def test_embeddings_of_texts_that_share_words_are_closer() -> None:
    """What embeddings are for; case and punctuation do not matter."""
    question = "Where does the red fox sleep?"
    assert closeness(question, "where does the red fox sleep") == pytest.approx(1)
    assert closeness(question, "The red fox, at night") > 0.3 > closeness(question, "Invoices for March") > -0.3


@given(st.lists(st.floats(-1, 1, width=32), max_size=50))
def test_base64_goes_there_and_back(vector: list[float]) -> None:
    """32-bit floats, little-endian."""
    packed = base64.b64decode(text.as_base64(vector), validate=True)
    assert list(struct.unpack(f"<{len(vector)}f", packed)) == vector


@given(anything, anything)
def test_relevance_is_a_share(query: str, document: str) -> None:
    """From 0 to 1; all of it for the query itself."""
    assert 0 <= text.relevance(query, document) <= 1
    assert text.relevance(query, f"{query} {query}") == 1


@pytest.mark.parametrize(
    ("query", "document", "score"),
    [
        ("red fox", "The RED fox!", 1),
        ("red fox", "a red dog", 0.5),
        ("red fox", "", 0),
        ("狐狸", "红色的狐狸", 1),
        ("", "red", 0),
    ],
)
def test_relevance(query: str, document: str, score: float) -> None:
    """The share of the query's words that the document has."""
    assert text.relevance(query, document) == score
