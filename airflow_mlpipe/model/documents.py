"""The rule for values that cross a boundary: a frozen record, a schema version, canonical JSON.

Every document that this package writes - references in XCom, records and key documents in a store - has the member
``"mlpipe": "<what>/<version>"``.  A reader refuses a newer version and treats anything else that it does not expect
as corrupted; it never guesses.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airflow_mlpipe.errors import CorruptedError, WorkspaceVersionError

TAG = "mlpipe"


def to_bytes(document: Mapping[str, Any]) -> bytes:
    """The one spelling of a document: sorted keys, no spaces, UTF-8."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def tag(what: str, version: int) -> dict[str, str]:
    """The member that a document of kind ``what`` starts with."""
    return {TAG: f"{what}/{version}"}


def check_tag(document: object, what: str, version: int, *, where: str) -> Mapping[str, Any]:
    """Return ``document`` if it is of kind ``what`` and no newer than ``version``.

    :raises WorkspaceVersionError: when it is newer. :raises CorruptedError: when it is something else.
    """
    if not isinstance(document, Mapping):
        raise CorruptedError("not a document of this package", where=where, given=type(document).__name__)
    kind, _, number = str(document.get(TAG, "")).partition("/")
    if kind != what or not number.isdigit():
        raise CorruptedError(f"not a document of kind {what}", where=where, given=document.get(TAG))
    if int(number) > version:
        raise WorkspaceVersionError(
            f"written by a newer version of airflow_mlpipe ({what}/{number})",
            where=where,
            valid=f"{what}/{version} and older",
            fix="upgrade airflow_mlpipe here, or use another workspace",
        )
    return document


def parse(data: bytes, what: str, version: int, *, where: str) -> Mapping[str, Any]:
    """Read a document of kind ``what`` from bytes.

    :raises CorruptedError: when the bytes are none. :raises WorkspaceVersionError: when it is newer.
    """
    try:
        document = json.loads(data)
    except ValueError as error:
        raise CorruptedError(f"not JSON ({error})", where=where) from error
    return check_tag(document, what, version, where=where)
