"""What there is to do: a pure function of what is at the source, what is at the destination, and what was delivered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from airflow_mlpipe.model.data import Kind
from airflow_mlpipe.transfer.files import Found, Row, SourceFile
from airflow_mlpipe.transfer.options import Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A plan.

    :param send: files that are not at the destination, or not as they are at the source; the largest first.
    :param keep: files that are. :param delete: paths to remove at the destination.
    :param remove: files to remove from the source, once everything is published.
    :param whole: whether the destination is marked as whole.
    """

    send: tuple[SourceFile, ...] = ()
    keep: tuple[SourceFile, ...] = ()
    delete: tuple[str, ...] = ()
    remove: tuple[SourceFile, ...] = ()
    whole: bool = True

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return self.whole and not (self.send or self.delete or self.remove)

    @property
    def size(self) -> int:
        """Bytes to send."""
        return sum(file.size for file in self.send)


def target_path(kind: Kind, path: str) -> str:
    """Where a file is at the destination, relative to its root: a single file *is* the root."""
    return "" if kind == "file" else path


def make_plan(
    files: Iterable[SourceFile],
    *,
    listed: Iterable[SourceFile],
    there: Mapping[str, Found],
    rows: Mapping[str, Row],
    source: str,
    kind: Kind,
    mode: Mode,
    takes: Callable[[str], bool],
    whole: bool = True,
    anew: bool = False,
) -> Plan:
    """Make a plan.

    :param files: those that take part. :param listed: those of them that are at the source now: of a move, some may be
        at the destination only.
    :param there: what is at the destination. :param rows: those of ``there`` that are what was delivered.
    :param source: mark of the source (:func:`.state.source_mark`): a tag says something about one source only.
    :param takes: whether a file of this path, were it at the source, would take part: only such are removed.
    :param anew: whether everything is sent, whatever is there.
    """
    files = tuple(files)
    send: list[SourceFile] = []
    keep: list[SourceFile] = []
    for file in files:
        row = None if anew else rows.get(target_path(kind, file.path))
        (keep if row is not None and is_same(file, row, source) else send).append(file)
    send.sort(key=lambda file: (-file.size, file.path))
    delete: list[str] = []
    if mode == "sync" and kind == "folder":
        wanted = {file.path for file in files}
        delete = sorted(path for path in there if path not in wanted and takes(path))
    return Plan(
        send=tuple(send),
        keep=tuple(keep),
        delete=tuple(delete),
        remove=tuple(listed) if mode == "move" else (),
        whole=whole,
    )


def is_same(file: SourceFile, row: Row, source: str) -> bool:
    """Whether what was delivered has the bytes of a file.

    By digest where both are known; else by the tag that the file had when it was delivered from this very source.
    """
    if file.size != row.size:
        return False
    if file.digest and row.digest:
        return file.digest == row.digest
    return row.source == source and bool(row.source_tag) and row.source_tag == file.tag
