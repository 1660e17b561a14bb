"""Tool calls: finds the function that a request requires, and makes arguments for its parameters."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from msgspec import UNSET, Struct, UnsetType, field

from jairouter_cli.request_errors import InvalidParameter


class ToolSchema(Struct, frozen=True, rename="camel"):
    """What is looked at of a JSON schema: neither references nor bounds nor patterns."""

    type: str | list[str] = ""
    const: Any | UnsetType = UNSET
    enum: list[Any] = field(default_factory=list)
    any_of: list["ToolSchema | bool"] = field(default_factory=list)
    one_of: list["ToolSchema | bool"] = field(default_factory=list)
    all_of: list["ToolSchema | bool"] = field(default_factory=list)
    properties: dict[str, "ToolSchema | bool"] = field(default_factory=dict)
    required: list[str] = field(default_factory=list)
    items: "ToolSchema | bool" = True

    @property
    def kind(self) -> str:
        """The type; the first of several, a guess where there is none."""
        named = [self.type] if isinstance(self.type, str) else self.type
        return next((name for name in named if name), "object" if self.properties else "string")


class Function(Struct, frozen=True):
    """A function that is offered, or named in a choice."""

    name: str
    parameters: ToolSchema | None = None


class Tool(Struct, frozen=True):
    """One of `tools`, or a `tool_choice` that is more than a word. What is no function is never called."""

    function: Function | None = None


Choice = Literal["none", "auto", "required"] | Tool | None

# What is passed where a schema asks for no particular value; a text is what the user said.
_PLAIN: Final[Mapping[str, object]] = {"integer": 1, "number": 1.5, "boolean": True, "null": None}


def insisted(tools: Sequence[Tool], choice: Choice) -> Function | None:
    """Return the function that must be called, or None. Raises `InvalidParameter` if it is not offered."""
    name = choice.function.name if isinstance(choice, Tool) and choice.function else None
    if name is None and choice != "required":
        return None
    offered = (tool.function for tool in tools if tool.function)
    found = next((function for function in offered if name in {None, function.name}), None)
    if found is None:
        raise InvalidParameter("tool_choice", f"{name or 'a function'} is not one of the tools")
    return found


def arguments(function: Function, said: str) -> object:
    """Return arguments that a function takes: all that it requires, and what was said wherever it takes a text."""
    return {} if function.parameters is None else _example(function.parameters, said)


def _example(schema: ToolSchema | bool, said: str) -> object:  # noqa: FBT001 - true is the schema of anything
    if isinstance(schema, bool):
        return said
    if schema.const is not UNSET:
        return schema.const
    if schema.enum:
        return schema.enum[0]
    if options := schema.any_of or schema.one_of or schema.all_of:
        return _example(options[0], said)
    return _of_kind(schema, said)


def _of_kind(schema: ToolSchema, said: str) -> object:
    if schema.kind == "object":
        return {name: _example(schema.properties.get(name, True), said) for name in schema.required}
    if schema.kind == "array":
        return [_example(schema.items, said)]
    return _PLAIN.get(schema.kind, said)
