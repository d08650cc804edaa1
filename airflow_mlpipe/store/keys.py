"""The readable parts of fingerprints: what ``why`` compares to say what changed.

A key document is a function of its fingerprint, so writing it again changes nothing; losing one loses an explanation,
never a result.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_mlpipe.errors import CorruptedError
from airflow_mlpipe.model.documents import parse, tag, to_bytes
from airflow_mlpipe.store.base import ObjectStore
from airflow_mlpipe.store.layout import document_key
from airflow_mlpipe.store.reading import read

_VERSION = 1


class Keys:
    """The key documents of a workspace."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def put(self, fingerprint: str, document: Mapping[str, Any]) -> None:
        """Keep the parts of a fingerprint.

        They are written even when they are there: that repairs broken ones, and tells gc that they are wanted.
        """
        members = tag("key", _VERSION) | {"fingerprint": fingerprint, "key": dict(document)}
        self._store.put(document_key(fingerprint), to_bytes(members))

    def get(self, fingerprint: str) -> Mapping[str, Any] | None:
        """The parts of a fingerprint; ``None`` when they are not known, or cannot be read.

        :raises WorkspaceVersionError: when a newer version wrote them.
        """
        return read(self._store, document_key(fingerprint), _decode)


def _decode(data: bytes, where: str) -> Mapping[str, Any]:
    document = parse(data, "key", _VERSION, where=where).get("key")
    if not isinstance(document, Mapping):
        raise CorruptedError("members are missing (key)", where=where)
    return document
