"""Which commit a checkout is at, without git."""

from pathlib import Path

import pytest

from jairouter_cli.web.actuator.checkout import of_checkout

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def write(folder: Path, files: dict[str, str]) -> None:
    """Write files, by their paths."""
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


ON_BRANCH = {"branch": "topic/x", "commit": {"id": COMMIT}}


@pytest.mark.parametrize(
    ("files", "node"),
    [
        ({}, None),
        ({".git/HEAD": f"{COMMIT}\n"}, {"commit": {"id": COMMIT}}),
        ({".git/HEAD": "nonsense\n"}, None),
        ({".git/HEAD": "ref: refs/heads/topic/x\n"}, None),
        ({".git/HEAD": "ref: refs/heads/topic/x\n", ".git/refs/heads/topic/x": f"{COMMIT}\n"}, ON_BRANCH),
        (
            {".git/HEAD": "ref: refs/heads/topic/x\n", ".git/packed-refs": f"# pack\n{COMMIT} refs/heads/topic/x\n"},
            ON_BRANCH,
        ),
        (
            {
                ".git": "gitdir: main/.git/worktrees/w\n",
                "main/.git/worktrees/w/HEAD": "ref: refs/heads/topic/x\n",
                "main/.git/worktrees/w/commondir": "../..\n",
                "main/.git/refs/heads/topic/x": f"{COMMIT}\n",
            },
            ON_BRANCH,
        ),
    ],
)
def test_what_a_checkout_says(tmp_path: Path, files: dict[str, str], node: object) -> None:
    """On a branch, on none, with packed references, in a worktree; nothing where nothing is known."""
    write(tmp_path, files)
    assert of_checkout(tmp_path) == node
