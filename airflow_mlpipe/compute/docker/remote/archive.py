"""Files for a container that is created and not started, as the archive that an engine takes."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping

DIRECTORY = 0o755


def archive_of(files: Mapping[str, bytes], *, mode: int) -> bytes:
    """Files of root by path relative to where the archive is unpacked."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, data in files.items():
            info = tarfile.TarInfo(path)
            info.mode, info.size = mode, len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def only_file(archive: bytes) -> bytes | None:
    """The bytes of the file in an archive of one file; ``None`` when it is something else."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        member = members.next()
        file = members.extractfile(member) if member is not None and member.isfile() else None
        return None if file is None else file.read()
