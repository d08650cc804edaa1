"""A module as people read it, and the lines in which two differ."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.cli.tables import moment, print_lines, print_table

if TYPE_CHECKING:
    from airflow_mlpipe.modules.api import ModuleDiff, ModuleInfo


def page(info: ModuleInfo) -> None:
    """Print a module."""
    definition = info.definition
    print_lines(*(line for line in (f"{definition.label} of {info.source}", definition.description) if line), "")
    print_table(("", ""), [(name, value) for name, value in _facts(info) if value])
    ports = [
        *(("input", p.name, str(p.type), _port(p.optional, p.many), p.description) for p in definition.inputs),
        *(("output", p.name, str(p.type), _port(p.optional, False), p.description) for p in definition.outputs),
    ]
    params = [_param(name, schema) for name, schema in definition.params.items()]
    print_lines("")
    print_table(("KIND", "NAME", "TYPE", "", "DESCRIPTION"), [*ports, *params])


def _facts(info: ModuleInfo) -> Iterator[tuple[str, str]]:
    definition = info.definition
    yield "owner", definition.owner
    yield "licence", definition.licence
    yield "tags", ", ".join(definition.tags)
    yield "place", info.place
    yield "digest", info.digest
    yield "code", info.code
    yield "published", f"{moment(info.published)} by {info.author}" if info.author else ""
    yield "revision", str(info.revision or "")
    yield "deprecated", str(info.deprecated or "")
    yield "yanked", str(info.yanked or "")
    yield "versions", ", ".join(info.versions)
    yield "default", f"{definition.name} alone stands for this version" if info.is_default else ""
    yield "runs", " ".join(map(_word, [definition.script] if definition.script else [])) or definition.kind
    yield "arguments", " ".join(map(_word, definition.arguments))
    environment, resources = info.definition.to_json()["environment"], info.definition.to_json()["resources"]
    yield "environment", _said(environment)
    yield "resources", _said(resources)
    yield "deterministic", "" if definition.deterministic else "no: its steps are not reused"


def _word(argument: Any) -> str:
    return f"[{' '.join(map(_word, argument))}]" if isinstance(argument, tuple) else str(argument)


def _said(members: Mapping[str, Any] | None) -> str:
    return ", ".join(f"{name} {_plain(value)}" for name, value in (members or {}).items() if value)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _port(optional: bool, many: bool) -> str:
    return " ".join(["optional"] * optional + ["many"] * many)


def _param(name: str, schema: Mapping[str, Any]) -> tuple[str, ...]:
    kind = schema.get("type", "any")
    default = f"default {_plain(schema['default'])}" if "default" in schema else "required"
    return "param", name, kind if isinstance(kind, str) else "|".join(kind), default, str(schema.get("description", ""))


def changed_lines(found: ModuleDiff) -> Iterator[str]:
    """A unified diff of the files that differ and are text."""
    for one in found.files:
        old = [] if one.old is None else _lines(found.old, one.subject)
        new = [] if one.new is None else _lines(found.new, one.subject)
        if old is not None and new is not None:
            yield from difflib.unified_diff(old, new, f"old/{one.subject}", f"new/{one.subject}", lineterm="")


def _lines(info: ModuleInfo, path: str) -> list[str] | None:
    try:
        return list(map(str, info.read_file(path).decode().splitlines()))
    except (UnicodeDecodeError, IsADirectoryError, StopIteration):
        return None
