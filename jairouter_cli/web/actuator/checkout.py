"""Which commit this program was made from: as pip noted it, or as the checkout says from which it runs."""

import re
from importlib import metadata
from pathlib import Path
from typing import Final

import msgspec

import jairouter_cli
from jairouter_cli.web.views.node import Node

_COMMIT: Final = re.compile(r"[0-9a-f]{40,64}")


def git_node() -> Node | None:
    """Return branch and commit, as far as they are known; None where nothing is."""
    return _noted_by_pip() or of_checkout(Path(jairouter_cli.__file__).parent.parent)


def _noted_by_pip() -> Node | None:
    """Return what a package has that was installed from a repository (PEP 610)."""
    text = metadata.distribution("jairouter").read_text("direct_url.json")
    found = msgspec.json.decode(text).get("vcs_info", {}) if text else {}
    if "commit_id" not in found:
        return None
    branch = {"branch": found["requested_revision"]} if "requested_revision" in found else {}
    return {**branch, "commit": {"id": found["commit_id"]}}


def of_checkout(folder: Path) -> Node | None:
    """Return what a folder's `.git` says, which in a worktree names another folder."""
    try:
        git = folder / ".git"
        if git.is_file():
            git = (folder / git.read_text("utf-8").removeprefix("gitdir:").strip()).resolve()
        head = (git / "HEAD").read_text("utf-8").strip()
        if not head.startswith("ref:"):
            return {"commit": {"id": head}} if _COMMIT.fullmatch(head) else None
        name = head.removeprefix("ref:").strip()
        commit = _resolved(git, name)
    except OSError:
        return None
    return {"branch": name.removeprefix("refs/heads/"), "commit": {"id": commit}} if commit else None


def _resolved(git: Path, name: str) -> str | None:
    """Return the commit that a reference names: one of its own, or one among those that were packed."""
    common = git / "commondir"
    shared = (git / common.read_text("utf-8").strip()).resolve() if common.exists() else git
    for folder in (git, shared):
        if (folder / name).is_file():
            return (folder / name).read_text("utf-8").strip()
    packed = shared / "packed-refs"
    for line in packed.read_text("utf-8").splitlines() if packed.exists() else ():
        commit, _, of = line.partition(" ")
        if of == name:
            return commit
    return None
