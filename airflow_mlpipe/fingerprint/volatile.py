"""The identity of an output whose bytes hold a run id, a time or a uuid that its author says do not count.

The bytes are published as they are; only what consumers' fingerprints contain leaves the declared parts out.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from airflow_mlpipe.fingerprint.canonical import dump
from airflow_mlpipe.fingerprint.digest import digest_bytes
from airflow_mlpipe.fingerprint.local import LocalContent
from airflow_mlpipe.fingerprint.tree import TreeEntry
from airflow_mlpipe.model.data import Volatile

_DOMAIN = b"mlpipe.volatile/1\0"
_LEFT_OUT = "volatile"


def identity_of(content: LocalContent, root: Path, volatile: tuple[Volatile, ...]) -> str:
    """What consumers' fingerprints contain of this content.

    A file that a pattern without expression names counts by its name alone; from one with an expression, what matches
    is cut out before hashing (the file is read into memory for it).

    :param root: where the content is. :return: ``volatile:<hex>``, or the content's own digest when no part of it is
        volatile.
    :raises DefinitionError: for a pattern that cannot be understood. :raises OSError: when a file cannot be read.
    """
    if not volatile:
        return content.digest
    rules = [_Rule(v) for v in volatile]
    rows: list[list[object]] = []
    masked = False
    for path, entry in content.walk():
        if entry.kind == "folder":
            rows.append([path, "folder"])
            continue
        digest = _masked(path, entry, root if content.kind == "file" else root / path, rules)
        masked = masked or digest != entry.digest
        rows.append(["" if content.kind == "file" else path, "file", entry.executable, digest])
    return f"volatile:{hashlib.sha256(_DOMAIN + dump(rows)).hexdigest()}" if masked else content.digest


class _Rule:
    """One Volatile, compiled."""

    def __init__(self, volatile: Volatile) -> None:
        # Here and not above: only outputs with volatile parts need patterns, and their library takes a while to load.
        from airflow_mlpipe.fingerprint.ignore import compile_patterns

        self.files = compile_patterns([volatile.files], where="Volatile(files)")
        self.expression = None if volatile.pattern is None else re.compile(volatile.pattern.encode("latin-1"))


def _masked(path: str, entry: TreeEntry, file: Path, rules: list[_Rule]) -> str:
    matching = [rule for rule in rules if rule.files.match_file(path)]
    if not matching:
        return entry.digest
    if any(rule.expression is None for rule in matching):
        return _LEFT_OUT
    data = original = file.read_bytes()
    for rule in matching:
        if rule.expression is not None:
            data = rule.expression.sub(b"", data)
    return entry.digest if data == original else digest_bytes(data)
