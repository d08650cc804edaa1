"""Stage: the part of this package that a function step's process needs, as a folder of its own.

The process runs in whatever environment the step asks for, where neither Airflow nor this package is.  It needs the
values, the model and the errors, which import the standard library alone.  They are copied once per version to the
host's cache; nothing else of the worker's site-packages becomes visible in the step.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from functools import lru_cache
from pathlib import Path
from secrets import token_hex

_PACKAGE = Path(__file__).parent.parent
_PARTS = ("__init__.py", "errors.py", "model", "values")

PYSITE = Path(__file__).with_name("pysite")
"""Folder of the ``sitecustomize`` that sorts directory listings."""


@lru_cache(maxsize=1)
def _files() -> dict[str, bytes]:
    paths = [_PACKAGE / part for part in _PARTS]
    files = [p for p in paths if p.is_file()] + [f for p in paths if p.is_dir() for f in sorted(p.rglob("*.py"))]
    return {f.relative_to(_PACKAGE).as_posix(): f.read_bytes() for f in files}


def kernel_folder(cache: Path) -> Path:
    """The folder to put on ``PYTHONPATH``; made when it is not there.

    :param cache: the host's. :raises OSError: when it cannot be written.
    """
    digest = hashlib.sha256()
    for name, data in _files().items():
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
    folder = cache / "kernel" / digest.hexdigest()[:32]
    if folder.is_dir():
        return folder
    new = cache / "kernel" / f"new-{token_hex(8)}"
    write_kernel(new)
    try:
        os.rename(new, folder)
    except OSError:  # another task was faster
        shutil.rmtree(new)
        if not folder.is_dir():
            raise
    return folder


def write_kernel(folder: Path) -> None:
    """Write it into a folder that is not there.  :raises OSError: when that cannot be written."""
    for name, data in _files().items():
        path = folder / _PACKAGE.name / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
