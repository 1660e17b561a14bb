"""The language of what is written for a reader: that of the environment, as gettext reads it."""

from pathlib import Path

import pytest

from jairouter_cli.cli.init import template
from jairouter_cli.config.document import Document
from tests.process import run

ENVIRON = {"LANGUAGE": "", "LC_ALL": "", "LC_MESSAGES": "", "LANG": ""}


@pytest.mark.parametrize(
    ("environ", "locale"),
    [
        ({}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_TW"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "en_US.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "zh_CN.UTF-8"}, "zh"),
    ],
)
def test_a_new_file_is_in_the_readers_language(environ: dict[str, str], locale: str, tmp_path: Path) -> None:
    """Its comments, and the errors of the gateway that it configures; English unless the reader's is Chinese."""
    assert run("init", cwd=tmp_path, env={**ENVIRON, **environ}).returncode == 0
    assert (tmp_path / "jairouter.yaml").read_text("utf-8") == template(locale)


def test_the_files_differ_in_their_comments_alone() -> None:
    """And in the language of the gateway's errors."""
    english, chinese = (Document.load(template(locale), "jairouter.yaml").root for locale in ("en", "zh"))
    assert (english["server"].pop("locale"), chinese["server"].pop("locale")) == ("en", "zh")
    assert english == chinese
