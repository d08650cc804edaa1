"""The operating system's errors as the store's: what a local file can do wrong on either end of a transfer."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from airflow_mlpipe.errors import ObjectNotFoundError, StoreError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@contextlib.contextmanager
def os_errors(
    url: str, operation: str, path: Path, *, absent: bool = False, missing_ok: bool = False
) -> Iterator[None]:
    """Translate the :class:`OSError` of a block.

    :param absent: whether a file that is not there is an object that is not there.
    :param missing_ok: whether a file that is not there ends the block in silence.
    :raises ObjectNotFoundError: with ``absent``. :raises StoreError: for everything else.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, FileNotFoundError | NotADirectoryError) and (absent or missing_ok):
            if missing_ok:
                return
            raise ObjectNotFoundError("there is no such object", where=url, given=str(path)) from error
        raise _translated(error, operation, path, url) from error


def _translated(error: OSError, operation: str, path: Path, url: str) -> StoreError:
    what, fix = f"cannot {operation}: {error.strerror or error}", None
    if error.errno in _FULL:
        what = f"cannot {operation}: the disk is full"
        fix = "free some space (airflow mlpipe gc removes what no result needs) and run the task again"
    elif isinstance(error, PermissionError) or error.errno == errno.EROFS:
        what = f"not allowed to {operation}"
        fix = "give the user that runs the worker the right to read and write this folder"
    elif isinstance(error, NotADirectoryError | IsADirectoryError | FileExistsError):
        what = f"cannot {operation}: the name is taken by something else ({error.strerror})"
    return StoreError(what, where=url, given=str(path), fix=fix)
