"""The folders of an attempt, shared by the agent and a program that may run as another user.

They are one attempt's and no one else sees them, so they are opened to everybody; what is only read stays closed for
writing.
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from airflow_mlpipe.runtime.layout import FOLDERS, Layout, remove
from airflow_mlpipe.runtime.remote import agent_of, checkpoints_of, kernel_of, pysite_of

_CLOSED = ("inputs", "private")


def make_folders(layout: Layout) -> None:
    """Make them, empty: what an interrupted staging left is removed.  They may be mounts, which stay.

    :raises OSError: when that cannot be.
    """
    own = [layout.root / name for name in FOLDERS]
    for folder in (*own, kernel_of(layout), pysite_of(layout), agent_of(layout)):
        folder.mkdir(parents=True, exist_ok=True)
        for member in folder.iterdir():
            if member.is_dir() and not member.is_symlink():
                remove(member)
            else:
                member.unlink()
    agent_of(layout).chmod(0o700)
    checkpoints_of(layout).mkdir(exist_ok=True)


def open_folders(layout: Layout) -> None:
    """Let any user run a program in them."""
    for name in FOLDERS:
        _open(layout.root / name, 0o755 if name in _CLOSED else 0o777)
    for folder in (kernel_of(layout), pysite_of(layout)):
        _open(folder, 0o755)
    for path in (layout.root / "outputs").iterdir():
        _open(path, 0o777)
    for path in layout.params.parent.iterdir():
        _open(path, 0o666)
    for path in layout.private.iterdir():
        _open(path, 0o444)
    _open(layout.root, 0o755)
    _open(checkpoints_of(layout), 0o777)


def _open(path: Path, mode: int) -> None:
    with contextlib.suppress(PermissionError):  # a mount: whoever made it decides
        path.chmod(mode)


def copy_secrets(source: Path, names: tuple[str, ...], layout: Layout) -> None:
    """The files that the program's variables point to.  :raises OSError: when one is not there."""
    for name in names:
        shutil.copyfile(source / name, layout.private / name)
