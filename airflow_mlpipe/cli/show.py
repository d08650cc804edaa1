"""``airflow mlpipe show``: a result, where its outputs are, and what its fingerprint is made of."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.cli.command import command, write_json
from airflow_mlpipe.cli.select import find_fingerprint, get_record
from airflow_mlpipe.cli.tables import moment, print_lines, print_table
from airflow_mlpipe.cli.workspace import open_workspace
from airflow_mlpipe.experiment.text import duration, short, size
from airflow_mlpipe.model.documents import TAG
from airflow_mlpipe.model.records import ReuseRecord

if TYPE_CHECKING:
    from airflow_mlpipe.store.pins import Pin
    from airflow_mlpipe.store.workspace import Workspace

_LONGEST = 120  # characters of a part that the table shows; json has all


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A reuse record with what is known around it.

    :param key: the parts of the fingerprint; ``None`` when they are not kept any more.
    :param used: when it was last reused, seconds since the epoch by the store's clock; ``None`` when never.
    """

    record: ReuseRecord
    key: Mapping[str, Any] | None
    pin: Pin | None
    used: float | None

    def to_json(self) -> dict[str, Any]:
        """The members of ``--output json``."""
        return {
            "record": self.record.to_json(),
            "key": None if self.key is None else dict(self.key),
            "pin": None if self.pin is None else {"by": self.pin.by, "why": self.pin.why},
            "used": self.used,
        }


@command
def show(args: Namespace) -> None:
    """Run the command."""
    workspace = open_workspace()
    result = get_result(workspace, find_fingerprint(workspace, args.what, args.map_index))
    if args.output == "json":
        write_json("show", result.to_json())
    else:
        _print(result)


def get_result(workspace: Workspace, fingerprint: str) -> Result:
    """Everything about a result.  :raises NotRememberedError: when no result is recorded for the fingerprint."""
    return Result(
        record=get_record(workspace, fingerprint),
        key=workspace.keys.get(fingerprint),
        pin=workspace.pins.get(fingerprint),
        used=workspace.usage.last(fingerprint),
    )


def _print(result: Result) -> None:
    record, pin = result.record, result.pin
    pinned = "no" if pin is None else f"by {pin.by}" + (f": {pin.why}" if pin.why else "")
    print_lines(
        f"fingerprint  {record.fingerprint}",
        f"produced by  {record.producer} (try {record.producer.try_number})",
        f"started      {moment(record.started)}, took {duration(record.seconds)}",
        f"last reused  {moment(result.used or 0.0) or 'never'}",
        f"pinned       {pinned}",
    )
    if record.nondeterministic:
        print_lines("note         nondeterministic: executed again, it gave other bytes; these are the first ones")
    if record.outputs:
        print_lines("", "Outputs:")
        print_table(
            ("NAME", "KIND", "SIZE", "FILES", "DIGEST", "URI"),
            [(o.name, o.kind, size(o.size), str(o.files), short(o.digest), o.uri) for o in record.outputs],
            right=frozenset({"SIZE", "FILES"}),
        )
    if values := small_values(record):
        print_lines("", "Values:")
        print_table(("NAME", "VALUE"), [(name, _short(value)) for name, value in values.items()])
    if record.metrics:
        print_lines("", "Metrics:")
        print_table(("NAME", "VALUE"), [(name, f"{value:g}") for name, value in sorted(record.metrics.items())])
    print_lines("", "Made of:" if result.key else "The parts of the fingerprint are not kept any more.")
    if result.key:
        print_table(("PART", "NAME", "VALUE"), list(key_parts(result.key)))


def small_values(record: ReuseRecord) -> dict[str, Any]:
    """What the record itself holds of what a step returned, without secrets; what has a file is not among it."""
    from airflow_mlpipe.hooks.previews import shown
    from airflow_mlpipe.model.reference import is_inline_value, is_reference

    held = {name: value["value"] if is_inline_value(value) else value for name, value in record.xcoms.items()}
    return shown({name: value for name, value in held.items() if not is_reference(value)})


def key_parts(key: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """The parts of a fingerprint, one line each: part, name, value; parts that say nothing are left out."""
    for part, value in key.items():
        if part == TAG or value in (None, "", [], {}):
            continue
        if part == "code" and isinstance(value, Mapping):
            value = {n: v for n, v in value.items() if n != "files"} | dict(value.get("files") or {})
        if isinstance(value, Mapping):
            yield from ((part, str(name), _short(member)) for name, member in value.items())
        elif isinstance(value, list):
            yield from ((part, str(number), _short(member)) for number, member in enumerate(value))
        else:
            yield part, "", _short(value)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
