"""Who publishes, and from which revision: what git says of a folder."""

from __future__ import annotations

import getpass
import re
import subprocess
from pathlib import Path

from airflow_mlpipe.modules.published import SourceRevision

_SECONDS = 20.0


def revision_of(folder: Path) -> SourceRevision | None:
    """The revision of a folder; ``None`` where there is no git, or the folder is in no repository."""
    revision = _git(folder, "rev-parse", "HEAD")
    if revision is None:
        return None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=normal", "--", ".")
    remote = _git(folder, "config", "--get", "remote.origin.url")
    return SourceRevision(revision=revision, dirty=changes != "", remote=without_credentials(remote or ""))


def author_of(folder: Path) -> str:
    """Who publishes: as git knows them there, else the user of this machine."""
    name, email = _git(folder, "config", "--get", "user.name"), _git(folder, "config", "--get", "user.email")
    if name or email:
        return f"{name} <{email}>" if name and email else str(name or email)
    return user()


def user() -> str:
    """The user of this machine."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user that no user database knows (KeyError before Python 3.13)
        return "unknown"


def without_credentials(url: str) -> str:
    """A repository's URL without user and password."""
    return re.sub(r"^(\w+://)[^/@]*@", r"\1", url)


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
