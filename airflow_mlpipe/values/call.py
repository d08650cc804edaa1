"""Run: the process of a function step.  ``python -m airflow_mlpipe.values.call CALL.json``.

Reads the arguments in the forms that the function's annotations ask for, calls it, and saves what it returned.  Its
own errors - a value that cannot be written, an output that is missing - are told in the answer, the function's in its
output.
"""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import json
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from airflow_mlpipe.errors import MLPipeError
from airflow_mlpipe.values.annotations import coerce, hints, unresolved
from airflow_mlpipe.values.lazy import LazySequence
from airflow_mlpipe.values.load import load_value
from airflow_mlpipe.values.materializer import Saved
from airflow_mlpipe.values.outputs import split
from airflow_mlpipe.values.save import Inline, save_value
from airflow_mlpipe.values.structure import decode

DO_NOT_RETRY = 77

_LAZY = ("collections.Sequence", "collections.Collection")
"""Annotations of which a sequence that reads each member when it is asked for is one."""


def main(arguments: list[str]) -> int:
    """Call a function; the exit code."""
    call = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    answer = Path(call["answer"])
    try:
        function = _function(call)
        try:
            given = _arguments(call, function)
        except MLPipeError as error:
            return _refuse(answer, error)
        try:
            result = function(**given)
            result = asyncio.run(result) if inspect.iscoroutine(result) else result
        except Exception:  # noqa: BLE001 - whatever the function raises is told with its traceback
            return _failed()
        try:
            document = _save(result, call)
        except MLPipeError as error:
            return _refuse(answer, error)
    except Exception:  # noqa: BLE001 - so is what its module raises
        return _failed()
    answer.write_text(json.dumps(document, ensure_ascii=False, allow_nan=False), encoding="utf-8")
    return 0


def _function(call: Mapping[str, Any]) -> Any:
    code = Path(call["code"])
    if str(code) not in sys.path:
        sys.path.insert(0, str(code))
    path = code / call["file"]
    name = call["file"].removesuffix(".py").replace("/", ".")
    name = name if all(part.isidentifier() for part in name.split(".")) else "mlpipe_function"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    for variable, value in call["bindings"].items():
        setattr(module, variable, decode(value, Any, _no_input))
    spec.loader.exec_module(module)
    return getattr(module, call["function"])


def _no_input(document: Mapping[str, Any], annotation: Any) -> Any:
    raise ValueError("a variable of an enclosing function holds no data")


def _arguments(call: Mapping[str, Any], function: Any) -> dict[str, Any]:
    annotations = hints(function)
    for name, why in unresolved(function).items():
        if name in call["parameters"]:
            sys.stderr.write(f"the annotation of {name!r} is not understood: {why}; it comes in its usual form\n")
    given = {}
    for name, document in call["parameters"].items():
        annotation = annotations.get(name, Any)

        def load(leaf: Mapping[str, Any], asked: Any, name: str = name) -> Any:
            if "inline" in leaf:
                return decode(leaf["inline"], asked, load)
            return _input(call["inputs"].get(leaf["input"]), asked, name, allow_pickle=call["allow_pickle"])

        try:
            given[name] = coerce(decode(document, annotation, load), annotation, name=name)
        except ModuleNotFoundError as error:
            raise MLPipeError(
                f"the library {error.name!r} is not in the environment of this step",
                where=f"argument {name!r}",
                fix="add it to the requirements or the image, or annotate a form that needs another library",
            ) from error
        except ValueError as error:
            if isinstance(error, MLPipeError):
                raise
            raise MLPipeError(str(error), where=f"argument {name!r}") from error
    return given


def _input(port: Mapping[str, Any] | None, annotation: Any, name: str, *, allow_pickle: bool) -> Any:
    if port is None:  # an optional output that was not written
        return None
    where = f"argument {name!r}"
    if "members" not in port:
        saved = Saved.from_json(port["saved"])
        return load_value(Path(port["path"]), saved, annotation, name=where, allow_pickle=allow_pickle)
    from airflow_mlpipe.values.annotations import wanted

    want = wanted(annotation)
    if want.path:
        return Path(port["path"])
    member = want.member if want.member is not None else Any

    def read(index: int) -> Any:
        one, at = port["members"][index], f"{where}[{index}]"
        saved = Saved.from_json(one["saved"])
        return load_value(Path(one["path"]), saved, member, name=at, allow_pickle=allow_pickle)

    if want.stream:
        return map(read, range(len(port["members"])))
    each = LazySequence(read, len(port["members"]))
    return each if not want.names or want.names[0] in _LAZY else list(each)


def _save(result: Any, call: Mapping[str, Any]) -> dict[str, Any]:
    names = call["names"]
    values = split(result, tuple(names), call["optional"]) if names else {"value": result}
    saved: dict[str, Any] = {}
    inline: dict[str, Any] = {}
    for name, value in values.items():
        path = f"the returned {name}" if names else "the result"
        folder, inline_too = Path(call["outputs"][name]), name not in call["files"]
        found = save_value(value, folder, path=path, allow_pickle=call["allow_pickle"], inline=inline_too)
        if isinstance(found, Inline):
            inline[name] = {"plain": found.plain, "document": found.document}
        else:
            saved[name] = found.to_json()
    return {"mlpipe": "answer/1", "saved": saved, "inline": inline}


def _refuse(answer: Path, error: MLPipeError) -> int:
    document = {"mlpipe": "answer/1", "error": str(error)}
    answer.write_text(json.dumps(document), encoding="utf-8")
    sys.stderr.write(f"{error}\n")
    return DO_NOT_RETRY


def _failed() -> int:
    """The function's own error, without the frames of this module."""
    _, error, trace = sys.exc_info()
    assert error is not None
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    traceback.print_exception(type(error), error, trace)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
