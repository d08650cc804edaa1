"""Stage: a snapshot's way to another machine, by the digest of its files in the workspace."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from airflow_mlpipe.fingerprint.local import LocalIndex
from airflow_mlpipe.model.code import CodeFile, CodeSnapshot
from airflow_mlpipe.runtime.layout import below
from airflow_mlpipe.store.contents import THREADS, Contents


def publish_code(snapshot: CodeSnapshot, contents: Contents) -> str:
    """Store a snapshot's files; the digest of their tree.  Files that are there already are not sent again.

    :raises StoreError: and its kinds.
    """
    with tempfile.TemporaryDirectory(prefix="mlpipe-code-") as folder:
        top = Path(folder)
        for name, file in snapshot.files.items():
            path = below(top, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.data)
            path.chmod(0o700 if file.executable else 0o600)
        content = LocalIndex(None).identify(top)
        contents.publish(top, content)
        return content.digest


def fetch_code(digest: str, contents: Contents) -> CodeSnapshot:
    """The files of a snapshot, verified.  What counted in it is not known any more.

    :raises ObjectNotFoundError: when something of it is gone. :raises StoreError: and its kinds.
    """
    entries = [(path, entry) for path, entry in contents.walk(digest) if entry.kind == "file"]
    with ThreadPoolExecutor(THREADS, "mlpipe-code") as pool:
        read = list(pool.map(lambda one: contents.read_bytes(one[1].digest), entries))
    files = {
        path: CodeFile(data=data, executable=entry.executable)
        for (path, entry), data in zip(entries, read, strict=True)
    }
    return CodeSnapshot(files=files, counted=frozenset())
