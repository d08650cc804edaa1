"""What is different between two modules, one line a difference; and which of it breaks who uses them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_mlpipe.errors import ObjectNotFoundError
from airflow_mlpipe.fingerprint.tree import Tree
from airflow_mlpipe.fingerprint.tree import diff as diff_trees
from airflow_mlpipe.modules.definition import NO_CODE, ModuleDefinition

LoadTree = Callable[[str], Tree]
_ABSENT = object()
_ABOUT = frozenset({"name", "version", "description", "owner", "licence", "tags"})
"""Members that say something of a module and change nothing of its steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference.  :param subject: the member, or the file. :param old, new: readable; ``None``: not there."""

    subject: str
    old: str | None = None
    new: str | None = None

    def __str__(self) -> str:
        if self.old is None:
            return f"{self.subject}: added{f' {self.new}' if self.new else ''}"
        if self.new is None:
            return f"{self.subject}: removed{f' {self.old}' if self.old else ''}"
        return f"{self.subject}: {self.old} -> {self.new}" if self.old or self.new else f"{self.subject}: changed"


def definition_differences(old: ModuleDefinition, new: ModuleDefinition) -> list[Difference]:
    """The members that differ."""
    return list(_members("", old.to_json(), new.to_json()))


def _members(at: str, old: Any, new: Any) -> Iterator[Difference]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in sorted({*old, *new}):
            yield from _members(f"{at}.{name}".lstrip("."), old.get(name, _ABSENT), new.get(name, _ABSENT))
    elif old is _ABSENT or old is None:
        if new is not None:
            yield Difference(subject=at, new=_shown(new))
    elif new is _ABSENT or new is None:
        yield Difference(subject=at, old=_shown(old))
    elif old != new or type(old) is not type(new):
        yield Difference(subject=at, old=_shown(old), new=_shown(new))


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def file_differences(old_trees: LoadTree, old: str, new_trees: LoadTree, new: str) -> list[Difference]:
    """The files that differ; one line if the old folder is not there any more."""
    if old == new:
        return []
    try:
        trees = {old: old_trees(old), new: new_trees(new)}
    except ObjectNotFoundError:
        return [Difference(subject="code", old=old, new=new)]

    def load(digest: str) -> Tree:
        try:
            return new_trees(digest)
        except (KeyError, ObjectNotFoundError):
            return old_trees(digest)

    found = diff_trees(trees[old], trees[new], load)
    return [
        *(Difference(subject=path, old="") for path in found.removed),
        *(Difference(subject=path, new="") for path in found.added),
        *(Difference(subject=path, old="", new="") for path in found.changed),
    ]


def breaking(old: ModuleDefinition, new: ModuleDefinition) -> list[str]:
    """What of the interface would break a DAG that uses the old one."""
    return [*_inputs(old, new), *_outputs(old, new), *_params(old, new)]


def _inputs(old: ModuleDefinition, new: ModuleDefinition) -> Iterator[str]:
    for was in old.inputs:
        now = new.input(was.name)
        if now is None:
            yield f"the input {was.name!r} is gone"
        elif not now.type.accepts(was.type):
            yield f"the input {was.name!r} wants {now.type} instead of {was.type}"
        elif was.optional and not now.optional:
            yield f"the input {was.name!r} is required now"
        elif was.many and not now.many:
            yield f"the input {was.name!r} takes no list any more"
    for now in new.inputs:
        if old.input(now.name) is None and not now.optional:
            yield f"the new input {now.name!r} is required"


def _outputs(old: ModuleDefinition, new: ModuleDefinition) -> Iterator[str]:
    for was in old.outputs:
        now = new.output(was.name)
        if now is None:
            yield f"the output {was.name!r} is gone"
        elif not was.type.accepts(now.type):
            yield f"the output {was.name!r} is {now.type} instead of {was.type}"
        elif now.optional and not was.optional:
            yield f"the output {was.name!r} may be missing now"


def _params(old: ModuleDefinition, new: ModuleDefinition) -> Iterator[str]:
    for name in old.params:
        if name not in new.params:
            yield f"the parameter {name!r} is gone"
        elif "default" in old.params[name] and "default" not in new.params[name]:
            yield f"the parameter {name!r} is required now"
        else:
            for keyword in _narrowed(old.params[name], new.params[name]):
                shown = " -> ".join(_shown(schema.get(keyword)) for schema in (old.params[name], new.params[name]))
                yield f"the parameter {name!r} may refuse what it took: {keyword} {shown}"
    for name, schema in new.params.items():
        if name not in old.params and "default" not in schema:
            yield f"the new parameter {name!r} is required"


_NOTES = frozenset({"default", "description", "title", "examples", "deprecated", "$comment"})
_LEAST = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"})
_MOST = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"})


def _narrowed(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Keywords of JSON Schema (2020-12, validation) that admit less than before, or may: what is not known counts."""
    for keyword in sorted(set(new) - _NOTES):
        if keyword in old and old[keyword] == new[keyword]:
            continue
        if keyword in old and keyword in _LEAST:
            wider = new[keyword] <= old[keyword]
        elif keyword in old and keyword in _MOST:
            wider = new[keyword] >= old[keyword]
        elif keyword in old and keyword in ("enum", "type"):
            wider = _values(keyword, old) <= _values(keyword, new)
        else:
            wider = False
        if not wider:
            yield keyword


def _values(keyword: str, schema: Mapping[str, Any]) -> set[str]:
    given = schema[keyword]
    found = {_shown(one) for one in (given if isinstance(given, list) else [given])}
    return found | ({'"integer"'} if keyword == "type" and '"number"' in found else set())


def same_step(old: ModuleDefinition, new: ModuleDefinition, files: list[Difference]) -> bool:
    """Whether both are the same step for everybody: results of one are reused by the other."""
    names = [difference.subject for difference in definition_differences(old, new)]
    plain = {name.partition(".")[0] for name in names if not name.endswith(".description")}
    no_code = tuple(pattern.lstrip("/") for pattern in NO_CODE)
    return plain <= _ABOUT and all(f.subject.startswith(no_code) for f in files)
