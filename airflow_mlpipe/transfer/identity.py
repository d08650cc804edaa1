"""What the files of a transfer are, in one digest: for the fingerprint of the step, and for who reads its output."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from airflow_mlpipe.fingerprint.canonical import dump
from airflow_mlpipe.fingerprint.identity import MOST_MEMBERS, ContentIdentity, short
from airflow_mlpipe.fingerprint.tree import EntryRow, Tree
from airflow_mlpipe.model.data import Kind
from airflow_mlpipe.transfer.planning import target_path

_DOMAIN = b"mlpipe.transfer/1\0"

Contents = Mapping[str, tuple[int, str]]
"""Size and content (:attr:`.files.SourceFile.content`) by path."""


def identity_of(files: Contents, kind: Kind) -> ContentIdentity:
    """What a fingerprint contains of the files: their bytes where those are known, else what the source says of them.

    A single file's name does not count: it is called as the destination says.
    """
    rows = sorted((target_path(kind, path), size, content) for path, (size, content) in files.items())
    members = None
    if kind == "folder" and len(rows) <= MOST_MEMBERS:
        members = {path: _short(content) for path, _, content in rows}
    return ContentIdentity(
        kind=kind,
        digest=f"transfer:{hashlib.sha256(_DOMAIN + dump(rows)).hexdigest()}",
        rung="digest" if _are_known(files) else "etag",
        size=sum(size for size, _ in files.values()),
        files=len(files),
        members=members,
    )


def digest_of(files: Contents, kind: Kind) -> str:
    """The digest of a file's bytes, or of a folder's tree; ``listing:...`` where a server copied what nobody read."""
    if not _are_known(files):
        return f"listing:{identity_of(files, kind).digest.partition(':')[2]}"
    if kind == "file":
        return next(content for _, content in files.values())
    return _tree(files).digest


def _are_known(files: Contents) -> bool:
    return not any(content.startswith("tag:") for _, content in files.values())


def _short(content: str) -> str:
    return content.removeprefix("tag:") if content.startswith("tag:") else short(content)


def _tree(files: Contents) -> Tree:
    """The tree that a local folder with these files has, none of them executable."""
    folders: dict[str, list[EntryRow]] = {"": []}
    for path, (size, digest) in files.items():
        parent, _, name = path.rpartition("/")
        folders.setdefault(parent, []).append((name, "file", False, size, 1, digest))
        while parent not in ("", None) and (above := parent.rpartition("/")[0]) not in folders:
            folders[above] = []
            parent = above
    # Deepest first: a folder is an entry of the one above once it is complete.
    for path in sorted(folders, key=lambda path: (-path.count("/") - bool(path), path)):
        tree = Tree.from_rows(folders[path])
        if not path:
            return tree
        above, _, name = path.rpartition("/")
        folders[above].append((name, "folder", False, tree.size, tree.files, tree.digest))
    return Tree()
