"""The code of a function: a reduced copy of its file that holds what the function reaches, and the files it imports.

A function of a DAG file runs where neither Airflow nor the rest of that file can be imported.  So of its file only the
statements that it reaches are kept, each on its own line, so that tracebacks show the right ones; imports below ``if
TYPE_CHECKING:`` are real ones there.  What is hashed is each statement, not the file: an edit elsewhere in it, or lines
that moved, change nothing.

Which statements these are: :mod:`.reduction`; how they are written: :mod:`.reduced`.
"""

from __future__ import annotations

import inspect
import os
import sys
import tokenize
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import FunctionType
from typing import Any

from airflow_mlpipe.errors import UncacheableError
from airflow_mlpipe.fingerprint.closure import Closure
from airflow_mlpipe.fingerprint.code import Source, widened
from airflow_mlpipe.fingerprint.reduction import Reduction, Strip
from airflow_mlpipe.model.code import CodeSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionCode:
    """A function that can be called elsewhere.

    :param file: its reduced module, a file of the snapshot. :param name: of the function in it.
    :param bindings: plain values of variables of the functions around it, to be set before the module runs.
    :param snapshot: the module and the files of its folder that it imports; ``parts`` are digests of its statements.
    """

    file: str
    name: str
    bindings: Mapping[str, Any]
    snapshot: CodeSnapshot


def read_function(
    function: Callable[..., Any],
    *,
    include: Sequence[str] = (),
    cache_dir: Path | None = None,
    strip: Strip,
    makes: Callable[[object], bool],
) -> FunctionCode:
    """Read the code of a function.

    :param include: patterns of further files of its folder. :param cache_dir: where what files import is remembered.
    :param strip: gives the plain function of an object that a decorator of ours made of one, else ``None``.
    :param makes: whether an object is such a decorator.
    :raises UncacheableError: for a function without a file, and for one that needs a variable which cannot travel.
    """
    plain = inspect.unwrap(function)
    file = inspect.getsourcefile(plain) if isinstance(plain, FunctionType) else None
    if file is None or not isinstance(plain, FunctionType) or not os.path.isfile(file):
        raise UncacheableError(
            "python_callable", function, what="the function has no file", fix="define the function in a file"
        )
    with tokenize.open(file) as opened:  # in the encoding that the file declares
        text = opened.read()
    reduction = Reduction(text, file, plain.__globals__, strip, makes)
    reduction.function(plain, decorated=True, own=True)
    parts = reduction.finish()
    root, relative = _root(os.path.realpath(file), plain.__module__ or "")
    source = Source(root, cache_dir)
    source.overlay(relative, reduction.reduced.text().encode())
    if "site-packages" in Path(root).parts:  # an installed package: its version counts, and it is there already
        snapshot = source.snapshot([relative], _imports_of(source, relative))
    else:
        snapshot = widened(source, relative, include)
    snapshot = replace(snapshot, counted=snapshot.counted - {relative}, parts=parts)
    name = plain.__code__.co_name
    return FunctionCode(file=relative, name=name, bindings=reduction.around.bindings, snapshot=snapshot)


def _imports_of(source: Source, relative: str) -> Closure:
    """What one file of a package imports, without following it; of the files beside it the package stands for all."""
    imports = source.imports(relative).imports
    outside = {i.module.partition(".")[0] for i in imports if not i.level and i.module}
    return Closure(files={relative}, outside={*outside, relative.partition("/")[0].removesuffix(".py")})


def _root(file: str, module: str) -> tuple[str, str]:
    """The folder that imports start from, and the file's path in it."""
    dotted = module.replace(".", "/") + ".py"
    if "." in module and file.endswith("/" + dotted):
        return file[: -len(dotted) - 1], dotted
    folders = {os.path.realpath(e) for e in sys.path if e and os.path.isdir(e) and "site-packages" not in Path(e).parts}
    above = [f for f in folders if file.startswith(f.rstrip("/") + "/") and f != "/"]
    root = max(above, key=len, default=os.path.dirname(file))
    return root, os.path.relpath(file, root)
