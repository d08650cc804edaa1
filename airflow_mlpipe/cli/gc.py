"""``airflow mlpipe gc``: remove what nothing needs, after saying what that is."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.cli.command import command, confirm, say, write_json
from airflow_mlpipe.cli.tables import moment, print_lines, print_table
from airflow_mlpipe.cli.workspace import open_stores
from airflow_mlpipe.cli.xcoms import lookup
from airflow_mlpipe.experiment.text import size

if TYPE_CHECKING:
    from airflow_mlpipe.hooks.workspace import Stores
    from airflow_mlpipe.runtime.tidy import Tidied
    from airflow_mlpipe.store.base import ObjectStore
    from airflow_mlpipe.store.gc import Garbage, GarbageObject, Swept


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """How much garbage of one kind there is.  :param kept: how many of the kind are needed."""

    kind: str
    count: int
    size: int
    kept: int

    def to_json(self) -> dict[str, Any]:
        """The form of ``--output json``."""
        return {"kind": self.kind, "count": self.count, "bytes": self.size, "kept": self.kept}


@command
def gc(args: Namespace) -> None:
    """Run the command."""
    from airflow_mlpipe.model.data import Datastore
    from airflow_mlpipe.store.gc import GRACE, collect, sweep

    stores = open_stores()
    workspace, datastores = stores.workspace, _datastores(stores, args.datastore)
    copies = {f"{name} (copies)": stores.datastore(Datastore.spelled(name)) for name in args.datastore}
    configured = timedelta(hours=stores.settings.gc_grace_hours)
    grace = configured if args.grace is None else timedelta(seconds=args.grace)
    if grace < GRACE and not args.dry_run:
        say("a grace time of less than a day is safe only while nothing runs: what is being published may be taken")
    gone = lookup()
    garbage = collect(
        workspace,
        grace=grace,
        unused_for=None if args.older_than is None else timedelta(seconds=args.older_than),
        datastores=datastores,
        copies=copies,
        gone=gone,
    )
    if args.output == "table":
        _print_plan(garbage, every=args.list)
    swept = None
    if not args.dry_run and garbage.objects:
        confirm(f"remove {len(garbage.objects)} objects, {size(garbage.size)}?", yes=args.yes)
        swept = sweep(workspace, garbage, datastores=datastores, copies=copies, gone=gone)
    tidied = None if args.host is None or args.dry_run else _tidy(stores, args.host)
    if args.output == "json":
        host = {} if tidied is None else {"host": _host(tidied)}
        write_json("gc", _document(garbage, swept, dry_run=args.dry_run, every=args.list) | host)
        return
    if swept is not None:
        spared = f"; {len(swept.spared)} spared, which were needed or changed meanwhile" if swept.spared else ""
        print_lines(f"removed {len(swept.deleted)} objects, {size(swept.size)}{spared}")
    if tidied is not None:
        found = _host(tidied)
        print_lines(f"on this host: {', '.join(f'{value} {name}' for name, value in found.items())}")


def _tidy(stores: Stores, seconds: float) -> Tidied:
    from airflow_mlpipe.runtime.stores import Host
    from airflow_mlpipe.runtime.tidy import tidy

    return tidy(Host(cache=stores.settings.cache, scratch=stores.settings.scratch), seconds)


def _host(tidied: Tidied) -> dict[str, int]:
    return {
        "attempts": len(tidied.attempts),
        "checkpoints": len(tidied.checkpoints),
        "values": len(tidied.values),
        "environments": len(tidied.environments),
        "bytes": tidied.blob_bytes,
    }


def _datastores(stores: Stores, names: Iterable[str]) -> dict[str, ObjectStore]:
    return {name: stores.contents(name).store for name in names}


def count(garbage: Garbage) -> list[Line]:
    """Garbage by kind, in the order in which a sweep removes it; kinds of which there is nothing are left out."""
    from airflow_mlpipe.store.gc import ORDER

    lines = []
    for kind in ORDER:
        found = [one for one in garbage.objects if one.kind == kind]
        kept = garbage.kept.get(kind, 0)
        if found or kept:
            lines.append(Line(kind=kind, count=len(found), size=sum(one.size for one in found), kept=kept))
    return lines


def _print_plan(garbage: Garbage, *, every: bool) -> None:
    if every and garbage.objects:
        print_table(("KIND", "DATASTORE", "KEY", "SIZE", "MODIFIED", "WHY"), [_cells(one) for one in garbage.objects])
        print_lines("")
    rows = [(line.kind, str(line.count), size(line.size), str(line.kept)) for line in count(garbage)]
    rows.append(("total", str(len(garbage.objects)), size(garbage.size), str(sum(garbage.kept.values()))))
    print_table(("KIND", "GARBAGE", "SIZE", "NEEDED"), rows, right=frozenset({"GARBAGE", "SIZE", "NEEDED"}))


def _cells(one: GarbageObject) -> tuple[str, ...]:
    return one.kind, one.datastore or "workspace", one.key, size(one.size), moment(one.modified), one.reason


def _document(garbage: Garbage, swept: Swept | None, *, dry_run: bool, every: bool) -> dict[str, Any]:
    objects = [
        {"kind": o.kind, "datastore": o.datastore, "key": o.key, "bytes": o.size, "reason": o.reason}
        for o in garbage.objects
    ]
    return {
        "dry_run": dry_run,
        "grace_seconds": garbage.grace.total_seconds(),
        "unused_for_seconds": None if garbage.unused_for is None else garbage.unused_for.total_seconds(),
        "kinds": [line.to_json() for line in count(garbage)],
        "garbage": len(garbage.objects),
        "bytes": garbage.size,
        "deleted": len(swept.deleted) if swept else 0,
        "deleted_bytes": swept.size if swept else 0,
        "spared": len(swept.spared) if swept else 0,
    } | ({"objects": objects} if every else {})
