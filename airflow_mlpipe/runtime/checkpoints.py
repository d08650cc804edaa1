"""Checkpoints of a program on another machine: in the workspace between two attempts at one fingerprint.

Files go by their digest, so what did not change is not sent again.  They are no result: nothing but the next attempt at
the same fingerprint finds them, and gc removes them when nobody wrote any for its grace time.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from airflow_mlpipe.errors import ObjectNotFoundError
from airflow_mlpipe.fingerprint.local import LocalIndex
from airflow_mlpipe.model.documents import parse, tag, to_bytes
from airflow_mlpipe.runtime.layout import below
from airflow_mlpipe.store.contents import THREADS, Contents
from airflow_mlpipe.store.layout import checkpoints_key


class Checkpoints:
    """Those of one fingerprint.

    :param contents: of the workspace.
    """

    def __init__(self, contents: Contents, fingerprint: str) -> None:
        self._contents, self._key = contents, checkpoints_key(fingerprint)

    def fetch(self, folder: Path) -> int:
        """Put what an earlier attempt left into the folder, writable for everybody; how many files.

        :raises StoreError: and its kinds.
        """
        try:
            data = self._contents.store.get(self._key)
        except ObjectNotFoundError:
            return 0
        digest = str(parse(data, "checkpoints", 1, where=self._key)["tree"])
        files = []
        for path, entry in self._contents.walk(digest):
            target = below(folder, path)
            if entry.kind == "folder":
                target.mkdir(parents=True, exist_ok=True)
                target.chmod(0o777)
            else:
                target.unlink(missing_ok=True)
                files.append((entry, target))
        with ThreadPoolExecutor(THREADS, "mlpipe-checkpoints") as pool:
            list(pool.map(lambda one: self._contents.fetch(one[0].digest, one[1]), files))
        for entry, target in files:
            target.chmod(0o777 if entry.executable else 0o666)
        return len(files)

    def keep(self, folder: Path) -> bool:
        """Store what is in the folder for the next attempt; ``False`` when there is nothing.

        :raises OutputInvalidError: for what no store can hold. :raises StoreError: and its kinds.
        """
        if not folder.is_dir() or not any(folder.iterdir()):
            return False
        content = LocalIndex(None).identify(folder)
        self._contents.publish(folder, content)
        self._contents.store.put(self._key, to_bytes(tag("checkpoints", 1) | {"tree": content.digest}))
        return True

    def forget(self) -> None:
        """There will be no next attempt."""
        self._contents.store.delete([self._key])
