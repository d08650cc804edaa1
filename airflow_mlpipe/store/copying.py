"""Moving a file within one machine as cheaply as its filesystem allows: hard link, reflink, copy in the kernel.

Used by the local store and by whoever stages from a cache of the same host.  Never follows the promise of a caller
further than it was given: a link is made only where the caller says that nobody will write through either name.
"""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Literal

Way = Literal["link", "copy"]

_NO_LINK = frozenset(
    {errno.EPERM, errno.EACCES, errno.EXDEV, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS}
)
_NO_RANGE = frozenset(
    {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EBADF, errno.EPERM}
)
_PIECE = 1 << 30


def link_or_copy(source: Path, target: Path, *, link: bool = True) -> Way:
    """Make ``target``, which must not exist, hold the bytes of ``source``.

    :param link: whether a hard link will do: then both names are one file, and neither may be written to any more.
    :returns: how it was done.  A copy shares its blocks with the source where the filesystem can (reflink).
    :raises OSError: as the operating system gives it; a failed copy leaves no ``target``.
    """
    if link:
        try:
            os.link(source, target, follow_symlinks=True)
            return "link"
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
    copy_file(source, target)
    return "copy"


def copy_file(source: Path, target: Path) -> None:
    """Copy bytes (no times, no owner; the mode is the process's default) into a new file, in the kernel if it can.

    :raises FileExistsError: when ``target`` is there. :raises OSError: else; then no ``target`` is left.
    """
    with source.open("rb", buffering=0) as reader, target.open("xb", buffering=0) as writer:
        try:
            if not _copy_range(reader.fileno(), writer.fileno()):
                shutil.copyfileobj(reader, writer, 1 << 20)
        except BaseException:
            target.unlink(missing_ok=True)
            raise


def _copy_range(reader: int, writer: int) -> bool:
    """``copy_file_range``: reflinks on btrfs and xfs, copies inside the kernel elsewhere; ``False`` where it cannot."""
    if not hasattr(os, "copy_file_range"):
        return False
    try:
        moved = os.copy_file_range(reader, writer, _PIECE)
    except OSError as error:
        if error.errno in _NO_RANGE:
            return False
        raise
    # Some kernels answer 0 at once for files of pseudo filesystems whose size is not known; the plain copy reads them.
    if moved == 0:
        return False
    while moved:
        moved = os.copy_file_range(reader, writer, _PIECE)
    return True
