"""Which tool a request insists on, and what it is called with."""

from typing import Any

import msgspec
import pytest

from jairouter_cli.mock.tools import Choice, Function, Tool, ToolSchema, arguments, insisted
from jairouter_cli.request_errors import InvalidParameter

CLOCK, MAP = Function("clock"), Function("map")
TOOLS = [Tool(), Tool(CLOCK), Tool(MAP)]


@pytest.mark.parametrize(
    ("choice", "called"),
    [
        (None, None),
        ("none", None),
        ("auto", None),
        (Tool(), None),
        ("required", CLOCK),
        (Tool(Function("map")), MAP),
    ],
)
def test_insisted(choice: Choice, called: Function | None) -> None:
    """Only `required` and a name insist; what is no function is passed over."""
    assert insisted(TOOLS, choice) == called


@pytest.mark.parametrize(("choice", "tools"), [("required", [Tool()]), (Tool(CLOCK), [Tool(MAP)])])
def test_insisting_on_what_is_not_offered(choice: Choice, tools: list[Tool]) -> None:
    """Refused, as OpenAI does."""
    with pytest.raises(InvalidParameter, match="not one of the tools"):
        insisted(tools, choice)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({}, "hi"),
        ({"type": "string"}, "hi"),
        ({"type": "integer"}, 1),
        ({"type": ["boolean", "null"]}, True),
        ({"type": "null"}, None),
        ({"type": "array", "items": {"type": "number"}}, [1.5]),
        ({"type": "array", "items": True}, ["hi"]),
        ({"enum": ["C", "F"]}, "C"),
        ({"type": "string", "const": None}, None),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, 1),
        ({"type": "object", "properties": {"a": {}}}, {}),
        (
            {"properties": {"a": {"required": ["b"], "type": "object"}}, "required": ["a", "c"]},
            {"a": {"b": "hi"}, "c": "hi"},
        ),
    ],
)
def test_arguments(schema: dict[str, Any], value: object) -> None:
    """All that a schema requires, of the types that it names."""
    inside: dict[str, Any] = {"type": "object", "properties": {"x": schema}, "required": ["x"]}
    assert arguments(Function("f", msgspec.convert(inside, ToolSchema)), "hi") == {"x": value}


def test_a_function_without_parameters() -> None:
    """Is called with none."""
    assert arguments(CLOCK, "hi") == {}
