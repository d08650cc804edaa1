"""What travels between tasks: a small typed reference to data in a datastore, never the data."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.errors import CorruptedError
from airflow_mlpipe.model.documents import TAG, check_tag, tag

if TYPE_CHECKING:
    from airflow_mlpipe.model.data import Kind

_VERSION = 1
XCOM = "xcom/1"
"""Format of a JSON file with what XCom would hold if it were not too long: references and small values."""

AIRFLOW = "airflow/1"
"""Format of a JSON file with what Airflow's own backend would have put into XCom: objects that only it gives back."""

_TYPED = ("type", "format", "preview", "details", "length")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputReference:
    """One published output.

    :param name: the output port that it was published under.
    :param kind: file or folder.
    :param digest: digest of the bytes: of the blob for a file, of the tree for a folder.
    :param identity: what a consumer's fingerprint contains; the same as ``digest`` unless parts are volatile.
    :param datastore: the datastore that holds it, as :attr:`Datastore.spelling`; empty for the workspace.
    :param uri: where the blob or the tree is, for people and for lineage.
    :param size: bytes of content. :param files: number of files.
    :param filename: for a file, the name that programs see.
    :param executable: for a file, whether its owner may execute it.
    :param fingerprint: of the execution that published it.
    :param dag_id, task_id, run_id: the task instance that did, so that a missing object names who made it.
    :param path: of data that lie as plain files, and not by digest, where their path below ``datastore`` begins.
    :param type, format, details, preview, length: of a value that was saved by a materializer; see
        :class:`~airflow_mlpipe.values.materializer.Saved`.  Empty for files and folders that a program wrote.
    """

    name: str
    kind: Kind
    digest: str
    identity: str
    datastore: str
    uri: str
    size: int
    files: int
    filename: str = ""
    executable: bool = False
    fingerprint: str = ""
    dag_id: str = ""
    task_id: str = ""
    run_id: str = ""
    type: str = ""
    format: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    preview: Mapping[str, Any] = field(default_factory=dict)
    length: int | None = None
    path: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The form that XCom and records hold; of a typed value, what people want to know first comes first."""
        members = {name: getattr(self, name) for name in self.__slots__}
        typed = {name: members.pop(name) for name in _TYPED}
        if self.path is None:
            del members["path"]
        if not self.format:
            return tag("reference", _VERSION) | members
        first = {"type": self.type, "size": self.size, "digest": self.digest}
        return (
            tag("reference", _VERSION) | first | {name: v for name, v in typed.items() if v not in ({}, None)} | members
        )

    @classmethod
    def from_json(cls, document: object) -> OutputReference:
        """Read :meth:`to_json` back.

        :raises CorruptedError: when it is none. :raises WorkspaceVersionError: when it is newer.
        """
        members = check_tag(document, "reference", _VERSION, where="reference")
        try:
            return cls(**{name: members[name] for name in cls.__slots__ if name in members})
        except TypeError as error:
            raise CorruptedError(f"not a reference ({error})", where="reference", given=dict(members)) from error


def absent(name: str) -> dict[str, str]:
    """What XCom carries for an optional output that was not written."""
    return tag("absent", 1) | {"name": name}


def is_absent(value: object) -> bool:
    """Whether a value from XCom says that an optional output was not written."""
    return isinstance(value, Mapping) and str(value.get(TAG, "")).startswith("absent/")


def is_reference(value: object) -> bool:
    """Whether a value from XCom is (the JSON form of) a reference."""
    return isinstance(value, Mapping) and str(value.get(TAG, "")).startswith("reference/")


def references_in(value: object) -> Iterator[OutputReference]:
    """The references in a JSON value, wherever they stand in it; what only looks like one is none."""
    if is_reference(value):
        with contextlib.suppress(CorruptedError):
            yield OutputReference.from_json(value)
    elif isinstance(value, Mapping):
        for member in value.values():
            yield from references_in(member)
    elif isinstance(value, (list, tuple)):
        for member in value:
            yield from references_in(member)


def inline_value(document: Any) -> dict[str, Any]:
    """What XCom carries for a small value that is not plain JSON: its structured form."""
    return tag("value", 1) | {"value": document}


def is_inline_value(value: object) -> bool:
    """Whether a value from XCom is (the JSON form of) a small value that is not plain JSON."""
    return isinstance(value, Mapping) and str(value.get(TAG, "")).startswith("value/")
