"""The language of the command line: Chinese where the environment says so, otherwise English.

`LANGUAGE`, `LC_ALL`, `LC_MESSAGES` and `LANG` are read as gettext reads them. Texts are written in English in the code;
`locale/zh/LC_MESSAGES/jairouter.po` has the Chinese ones, and a text that it lacks would be shown in English. Help
of commands and options is translated where it is shown (`parameters.py`), and errors where they are printed
(`output.py`), so neither is marked in the code.
"""

import gettext
import sys
from functools import cache
from pathlib import Path
from typing import Final

DOMAIN: Final = "jairouter"
FOLDER: Final = Path(__file__).with_name("locale")


def _(message: str) -> str:
    """Return a text in the reader's language: `_("no services")`, `_("{n} found").format(n=3)`."""
    return _catalog().gettext(message) if message else ""


def marked(message: str) -> str:
    """Return a text as it is: it is translated where it is shown, and found here by `scripts/messages`."""
    return message


def paragraphs(text: str) -> str:
    """Return a text of several paragraphs in the reader's language, as each of them is translated by itself."""
    return "\n\n".join(map(_, text.split("\n\n")))


def ngettext(one: str, several: str, number: int) -> str:
    """Return the text for a number of things, in the reader's language."""
    return _catalog().ngettext(one, several, number)


def prepare() -> None:
    """Begin to speak: the environment is looked at now, and Typer's own words are translated as well."""
    _catalog.cache_clear()
    gettext.bindtextdomain(DOMAIN, FOLDER)
    gettext.textdomain(DOMAIN)


def is_for_programs() -> bool:
    """Whether the command prints JSON: what programs read is never translated."""
    return "--json" in sys.argv[1:]


def language() -> str:
    """Return the reader's language: `zh` or `en`."""
    return "zh" if gettext.find(DOMAIN, FOLDER) else "en"


@cache
def _catalog() -> gettext.NullTranslations:
    if is_for_programs():
        return gettext.NullTranslations()
    return gettext.translation(DOMAIN, FOLDER, fallback=True)
