"""`docs/errors.md`: the errors of the gateway and of the command line, from their classes."""

import re
from collections.abc import Iterator
from typing import Final, TypeVar

from jairouter_cli.errors import JAIRouterError
from jairouter_cli.request_errors import RequestError
from scripts.reference.markdown import made_by, table

E = TypeVar("E", bound=JAIRouterError)

INTRO: Final = """\
# Errors

Every error that a client of the gateway gets, and every error of the command line. Words in capitals stand for values.

## Errors that clients get

The gateway's own errors have OpenAI's form. Responses of a backend are forwarded unchanged, errors included;
`details.source` is `gateway` only if the error is the gateway's own.

```json
{
  "error": {
    "message": "No instance of model 'qwen2.5:7b' can be reached",
    "type": "service_unavailable",
    "code": "service_unavailable",
    "details": {"source": "gateway", "reason": "no_reachable_instance", "attempts": 2}
  }
}
```

Match on the status and on `details.reason`, which are stable; the message is text for people, in the language of the
request's `Accept-Language` or of `server.locale`. `/v1/messages` has Anthropic's form of error.
[When no instance can respond](routing.md#when-no-instance-can-respond) describes the errors of routing,
[what a rejected client gets](limits.md#what-a-rejected-client-gets) those of limits.
"""
OF_COMMANDS: Final = """\
## Errors of the command line

A command prints `error:` and the text to standard error, and often a hint about what to do next. Its
[exit code](cli.md#exit-codes) says what kind of error it was.
"""


def page() -> str:
    """Return the page."""
    requests = sorted(
        {*_classes(RequestError)} - {RequestError}, key=lambda one: (one.status, one.type, one.reason, one.__name__)
    )
    rows = [
        (str(one.status), f"`{one.code or one.type}`", f"`{one.reason}`", _text(one), _first(one))
        for one in requests
        if one.texts["en"] != "{message}"
    ]
    own = [one for one in _classes(JAIRouterError) if not issubclass(one, RequestError)]
    exits = [
        (str(one.exit_code), _text(one), _sentence(one.default_hint or "-"))
        for one in sorted(own, key=lambda one: (one.exit_code, one.__name__))
        if re.sub(r"{\w+}", "", one.texts["en"])
    ]
    return "\n".join(
        [
            made_by(INTRO),
            table(("status", "type and code", "reason", "message", "when"), rows),
            OF_COMMANDS,
            table(("exit code", "error", "hint"), exits),
        ]
    )


def _classes(root: type[E]) -> Iterator[type[E]]:
    yield root
    for child in root.__subclasses__():
        yield from _classes(child)


def _text(error: type[JAIRouterError]) -> str:
    """Return an error's text with capitals in place of values."""
    return re.sub(r"{(\w+)(?::\w+)?}", lambda found: found[1].upper(), error.texts["en"])


def _first(error: type[JAIRouterError]) -> str:
    """Return the first sentence of a class's docstring, without the remark about its keywords."""
    line = (error.__doc__ or "").partition("\n")[0]
    return re.sub(r" Keywords?:.*", "", line)


def _sentence(text: str) -> str:
    return re.sub(r"{(\w+)}", lambda found: found[1].upper(), text)
