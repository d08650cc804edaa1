"""The code of a step as bytes, read once: what is hashed is what runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeFile:
    """One file of a snapshot."""

    data: bytes
    executable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeSnapshot:
    """Everything that a step's program may read of its source folder.

    :param files: by relative POSIX path, sorted.
    :param counted: paths whose bytes are part of the fingerprint (all but in mode ``version``).
    :param imports: top-level names of modules that are imported and are not in the snapshot.
    :param parts: digests by name of the parts of a file that count instead of the whole file.
    :param remarks: where the static walk could not be sure, and what it did about it.
    """

    files: Mapping[str, CodeFile]
    counted: frozenset[str]
    imports: frozenset[str] = frozenset()
    parts: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
