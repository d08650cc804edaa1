"""What data that are watched were when their last change was told: one document for each watch.

It is written after Airflow has stored the event, so that no change is lost, whoever dies when.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_mlpipe.errors import CorruptedError
from airflow_mlpipe.fingerprint.identity import ContentIdentity
from airflow_mlpipe.model.documents import parse, tag, to_bytes
from airflow_mlpipe.store.base import ObjectStore
from airflow_mlpipe.store.layout import watch_key
from airflow_mlpipe.store.reading import read

_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was there.  :param at: when it was noted, seconds since the epoch by the clock of who noted it."""

    identity: ContentIdentity
    at: float


class Watches:
    """The watches of a workspace, each by what it watches and how."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def get(self, watch: Mapping[str, Any]) -> Seen | None:
        """What was seen last; ``None`` before the first time.

        :raises WorkspaceVersionError: when a newer version wrote it.
        """
        return read(self._store, _key(watch), _decode)

    def put(self, watch: Mapping[str, Any], seen: Seen) -> None:
        """Note what was seen."""
        document = tag("watch", _VERSION) | {"watch": dict(watch), "identity": seen.identity.to_json(), "at": seen.at}
        self._store.put(_key(watch), to_bytes(document))


def _key(watch: Mapping[str, Any]) -> str:
    return watch_key(hashlib.sha256(b"mlpipe.watch/1\0" + to_bytes(watch)).hexdigest())


def _decode(data: bytes, where: str) -> Seen:
    members = parse(data, "watch", _VERSION, where=where)
    try:
        return Seen(identity=ContentIdentity.from_json(members["identity"]), at=float(members["at"]))
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptedError(f"members are missing ({error})", where=where) from error
