"""Run and verify a function step: its call as a file, and its answer as contents to publish.

The arguments are in ``call.json`` of the attempt, never in the environment or the command line; what the function
returned lies below its outputs' folders, and ``answer.json`` says what it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from airflow_mlpipe.errors import CorruptedError, OutputInvalidError, StepError, Terminal
from airflow_mlpipe.model.reference import OutputReference, inline_value
from airflow_mlpipe.model.step import InputPort, StepSpec
from airflow_mlpipe.runtime.described import described
from airflow_mlpipe.runtime.layout import Layout, Staged
from airflow_mlpipe.runtime.publish import Found, identify
from airflow_mlpipe.runtime.view import View
from airflow_mlpipe.values.materializer import Saved
from airflow_mlpipe.values.pickled import FORMAT as PICKLE
from airflow_mlpipe.values.pickled import check_allowed


class FunctionError(StepError, Terminal):
    """What a function got or returned cannot travel; trying again does not change it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """What a function returned.

    :param saved: by output. :param inline: small values by output, as XCom carries them.
    """

    saved: Mapping[str, Saved] = field(default_factory=dict)
    inline: Mapping[str, Any] = field(default_factory=dict)


def check_pickles(step: StepSpec, *, allowed: bool) -> None:
    """Refuse inputs that are pickles, before they are fetched, where the deployment does not allow them.

    :raises ConfigurationError: naming the input, and the ways out.
    """
    for port in step.inputs if step.function is not None else ():
        if any(reference.format == PICKLE for reference in port.references):
            check_allowed(allowed, "read", where=f"{step.label}: input {port.name!r}")


def write_call(layout: Layout, step: StepSpec, staged: Staged, view: View, *, allow_pickle: bool) -> None:
    """Write what the process reads.

    :param view: how it sees paths.
    :param allow_pickle: the deployment's option; only the call says so, and no value or argument in it can.
    """
    assert step.function is not None
    function = step.function
    call = {
        "mlpipe": "call/1",
        "code": view(layout.code),
        "file": function.file,
        "function": function.name,
        "bindings": dict(function.bindings),
        "parameters": dict(step.parameters),
        "names": list(function.names),
        "optional": [p.name for p in step.outputs if p.data.optional],
        "files": [p.name for p in step.outputs if p.data.needs_file],
        "inputs": {p.name: _input(p, staged, view) for p in step.inputs if p.name in staged.inputs},
        "outputs": {name: view(path) for name, path in staged.outputs.items()},
        "answer": view(layout.answer),
        "allow_pickle": allow_pickle,
    }
    layout.call.write_text(json.dumps(call, ensure_ascii=False, allow_nan=False), encoding="utf-8")


def _input(port: InputPort, staged: Staged, view: View) -> dict[str, Any]:
    path = staged.inputs[port.name]
    if not port.many:
        reference = port.references[0] if port.references else None
        return {"path": view(path), "saved": _saved(reference)}
    members = sorted(path.iterdir())
    return {
        "path": view(path),
        "members": [
            {"path": view(member), "saved": _saved(reference)}
            for member, reference in zip(members, port.references, strict=True)
        ],
    }


def _saved(reference: OutputReference | None) -> dict[str, Any]:
    """Of data that existed already, and of what a program wrote, nothing is known but the path."""
    if reference is None:
        return Saved(type="", format="", name="").to_json()
    return Saved(
        type=reference.type,
        format=reference.format,
        name=reference.filename,
        kind=reference.kind,
        details=reference.details,
        length=reference.length,
    ).to_json()


def refused(layout: Layout, where: str) -> FunctionError | None:
    """What the process says of a value that cannot travel; ``None`` when it said nothing."""
    try:
        return refused_by(layout.answer.read_bytes(), where)
    except OSError:
        return None


def refused_by(data: bytes, where: str) -> FunctionError | None:
    """The same of the bytes of the answer."""
    try:
        answer = json.loads(data)
    except ValueError:
        return None
    return FunctionError(str(answer["error"]), where=where) if isinstance(answer, dict) and "error" in answer else None


def read_returned(layout: Layout, where: str) -> Returned:
    """The answer of a process that ended well.  :raises CorruptedError: when it is none."""
    try:
        answer = json.loads(layout.answer.read_bytes())
        return Returned(
            saved={name: Saved.from_json(one) for name, one in answer["saved"].items()},
            inline={
                name: one["document"] if one["plain"] else inline_value(one["document"])
                for name, one in answer["inline"].items()
            },
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptedError(f"the function's process left no answer ({error})", where=where) from error


def verify_returned(step: StepSpec, staged: Staged, returned: Returned) -> Found:
    """The contents that the function's process wrote.

    :raises OutputInvalidError: for one that no store can hold, or that is not where the answer says.
    """
    found: Found = []
    for port in step.outputs:
        if (saved := returned.saved.get(port.name)) is None:
            continue
        where = f"{step.label}: output {port.name!r}"
        path = staged.outputs[port.name] / Path(saved.name).name
        if path.is_symlink() or not path.exists():
            raise OutputInvalidError("the value is not where its process says", where=where, given=saved.name)
        found.append((replace(port, data=replace(port.data, kind=saved.kind)), path, identify(path, where)))
    return found


def typed(references: tuple[OutputReference, ...], returned: Returned) -> tuple[OutputReference, ...]:
    """References that say what the value is."""
    return tuple(described(reference, returned.saved[reference.name]) for reference in references)
