"""Several outputs of one function: what it declares, and what it returned."""

from __future__ import annotations

import ast
import typing
from collections.abc import Collection, ItemsView, Mapping
from typing import Any

from airflow_mlpipe.errors import DefinitionError, StepError
from airflow_mlpipe.model.names import check_port

_HIDING = frozenset(
    {
        "operator",
        "key",
        "map",
        "zip",
        "concat",
        "resolve",
        "roots",
        "leaves",
        "iter_references",
        "set_upstream",
        "set_downstream",
        "as_setup",
        "as_teardown",
        "is_setup",
        "is_teardown",
        "on_failure_fail_dagrun",
    }
)
"""Members of Airflow's XComArg: ``step(...).map`` must stay what it is."""


class Outputs:
    """Named outputs: ``-> Outputs(model=Path)`` declares them, ``return Outputs(model=p)`` gives them.

    :ivar names: in the order in which they were written.
    :raises DefinitionError: without a name, and for one that cannot name an output.
    """

    __slots__ = ("_named",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, /, **named: Any) -> None:
        _check(tuple(named))
        self._named = named

    @property
    def names(self) -> tuple[str, ...]:
        """In the order in which they were written."""
        return tuple(self._named)

    def __getitem__(self, name: str) -> Any:
        return self._named[name]

    def items(self) -> ItemsView[str, Any]:
        """Pairs of name and value, or of name and annotation."""
        return self._named.items()

    def __repr__(self) -> str:
        return f"Outputs({', '.join(f'{name}={value!r}' for name, value in self._named.items())})"

    def __eq__(self, other: object) -> bool:
        return self._named == other._named if isinstance(other, Outputs) else NotImplemented


def _check(names: tuple[str, ...]) -> None:
    if not names:
        raise DefinitionError("there is no output", where="Outputs", fix="name at least one: Outputs(model=Path)")
    for name in names:
        check_port(name, where="Outputs")
        if name in _HIDING:
            raise DefinitionError(
                "this name would hide a member of Airflow's XComArg", where="Outputs", given=name, fix="choose another"
            )


def declared(annotation: Any, globals_: Mapping[str, Any]) -> dict[str, Any] | None:
    """The outputs that a return annotation declares, by name; ``None`` for one that declares a single result.

    :param annotation: an :class:`Outputs`, a NamedTuple or TypedDict class, or the text of one. The types in the text
        of an ``Outputs(...)`` are not evaluated: they need not be importable here.
    :raises DefinitionError: for a name that cannot name an output.
    """
    if isinstance(annotation, str):
        return _declared_by_text(annotation, dict(globals_))
    if isinstance(annotation, Outputs):
        return dict(annotation.items())
    named_tuple = isinstance(annotation, type) and issubclass(annotation, tuple) and hasattr(annotation, "_fields")
    if not named_tuple and not typing.is_typeddict(annotation):
        return None
    names = tuple(getattr(annotation, "_fields", ())) or tuple(getattr(annotation, "__annotations__", ()))
    hints = _hints(annotation)
    _check(names or tuple(hints))
    return {name: hints.get(name, Any) for name in names or hints}


def _hints(kind: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(kind, include_extras=True)
    except (NameError, AttributeError, TypeError, SyntaxError):
        return dict(getattr(kind, "__annotations__", {}))


def _declared_by_text(text: str, globals_: dict[str, Any]) -> dict[str, Any] | None:
    try:
        parsed = ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        return None
    if not isinstance(parsed, ast.Call):
        found = _evaluated(parsed, globals_)
        return None if isinstance(found, str) else declared(found, globals_)
    if _evaluated(parsed.func, globals_) is not Outputs:
        return None
    if parsed.args or any(word.arg is None for word in parsed.keywords):
        raise DefinitionError("Outputs takes names only", where="return annotation", given=text)
    named = {word.arg: ast.unparse(word.value) for word in parsed.keywords if word.arg is not None}
    _check(tuple(named))
    return named


def _evaluated(parsed: ast.expr, globals_: dict[str, Any]) -> Any:
    """A name, or a member of a module, that the author wrote in an annotation; ``None`` for what is not there."""
    if not isinstance(parsed, (ast.Name, ast.Attribute)):
        return None
    try:
        return eval(ast.unparse(parsed), globals_)  # noqa: S307 - names and members alone, of the author's own module
    except (NameError, AttributeError):
        return None


def split(result: Any, names: tuple[str, ...], optional: Collection[str] = ()) -> dict[str, Any]:
    """What a function returned, by the names of its outputs, in their order.

    :param optional: outputs that may be missing.
    :param result: :class:`Outputs`, a mapping with exactly these keys, or a NamedTuple, tuple or list of that length.
    :raises StepError: for anything else; the message says which names are missing and which are too many.
    """
    if isinstance(result, Outputs):
        found: dict[Any, Any] = dict(result.items())
    elif isinstance(result, Mapping):
        found = dict(result)
    elif isinstance(result, tuple) and set(getattr(result, "_fields", ())) == set(names):
        found = dict(zip(result._fields, result, strict=True))  # type: ignore[attr-defined]
    elif isinstance(result, (tuple, list)):
        found = dict(zip([*names, *(f"[{i}]" for i in range(len(names), len(result)))], result, strict=False))
    else:
        raise StepError(
            f"the function returned a {type(result).__qualname__} where it declares the outputs {', '.join(names)}",
            fix="return Outputs(...) with these names",
        )
    missing = [name for name in names if name not in found and name not in optional]
    extra = [name for name in found if name not in names]
    if missing or extra:
        raise StepError(
            f"the function did not return the outputs that it declares: missing {missing}, not declared {extra}",
            valid=names,
            fix="return Outputs(...) with exactly these names",
        )
    return {name: found[name] for name in names if name in found}
