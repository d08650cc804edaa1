"""References that may be read: XCom is written by people, too.

A reference names contents by their digest, in the workspace or in a datastore that the deployment names.  One that
spells out a place of its own is believed only where this workspace remembers that a step published exactly that.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from airflow_mlpipe.errors import CorruptedError, InputError, Terminal
from airflow_mlpipe.fingerprint.digest import check_digest
from airflow_mlpipe.model.data import check_relative
from airflow_mlpipe.model.reference import OutputReference
from airflow_mlpipe.store.layout import is_fingerprint
from airflow_mlpipe.store.workspace import Workspace

_PLACES = "the workspace, and datastores that a connection or [mlpipe] datastores names"


class ForeignReferenceError(InputError, Terminal):
    """A reference that no task of this deployment can have pushed."""


def checked(reference: OutputReference, *, where: str, workspace: Workspace | None = None) -> OutputReference:
    """The reference, before anything is read by it.

    :param workspace: which remembers what steps published in datastores that their DAGs spell out; without it none of
        those is believed.
    :raises ForeignReferenceError: for a place outside of the deployment, and for a digest or a name that is none.
    """
    if "=" in reference.datastore and not (workspace and _published(reference, workspace)):
        raise ForeignReferenceError(
            "a reference to data outside of this deployment is refused",
            where=where,
            given=reference.datastore,
            valid=_PLACES,
        )
    name = reference.filename
    if name and (PurePosixPath(name).name != name or name == ".." or "\x00" in name):
        raise ForeignReferenceError("a reference with a file name that is a path is refused", where=where, given=name)
    if reference.path is not None:
        check_relative(reference.path, where=where)
    if reference.kind not in ("file", "folder") or not _fits(reference):
        raise ForeignReferenceError(
            "a reference without a digest of contents is refused",
            where=where,
            given=f"{reference.kind} {reference.digest}",
            valid="file sha256:<64 hex digits> or folder tree:<64 hex digits>",
        )
    return reference


def _fits(reference: OutputReference) -> bool:
    if reference.path is not None:
        return True  # plain files are what is there, whatever the reference says of them
    try:
        is_tree = check_digest(reference.digest).startswith("tree:")
    except (CorruptedError, TypeError):
        return False
    return is_tree == (reference.kind == "folder")


def _published(reference: OutputReference, workspace: Workspace) -> bool:
    """Whether a record, or the run that the reference names, has this output in this place."""
    record = workspace.records.get(reference.fingerprint) if is_fingerprint(reference.fingerprint) else None
    outputs = list(record.outputs) if record else []
    if reference.dag_id and reference.run_id:
        for run in workspace.runs.list(reference.dag_id, reference.run_id, reference.task_id):
            outputs += run.outputs
    return _place(reference) in map(_place, outputs)


def _place(reference: OutputReference) -> tuple[str, str, str | None]:
    return reference.datastore, reference.digest, reference.path
