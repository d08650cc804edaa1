"""A pipeline's file as a whole."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.pipelines.reading import values
from airflow_mlpipe.pipelines.reading.mistakes import check, read_file
from airflow_mlpipe.pipelines.reading.schedule import read_schedule
from airflow_mlpipe.pipelines.reading.scope import Scope
from airflow_mlpipe.pipelines.reading.settings import read_settings
from airflow_mlpipe.pipelines.reading.steps import DEFAULTS, read_steps
from airflow_mlpipe.pipelines.records import API, Group, Pipeline, Step
from airflow_mlpipe.pipelines.references import template_of
from airflow_mlpipe.pipelines.settings import PIPELINE_SETTINGS
from airflow_mlpipe.written.members import Members
from airflow_mlpipe.written.mistakes import Mistakes, nearest
from airflow_mlpipe.written.places import Written

MEMBERS = (
    "api",
    "name",
    "title",
    "description",
    "doc",
    "tags",
    "params",
    "datastores",
    "data",
    "defaults",
    "groups",
    "steps",
    "schedule",
    "timezone",
    *PIPELINE_SETTINGS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPipeline:
    """A pipeline with the places of everything in it, for what is found wrong when a DAG is made of it."""

    pipeline: Pipeline
    written: Written


def read_pipeline_file(path: Path) -> ReadPipeline:
    """Read a file.

    :raises PipelineFileError: with all its mistakes. :raises DefinitionError: when it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise DefinitionError(f"cannot be read ({what})", where=str(path), fix="check the path") from error
    return read_pipeline(text, file=str(path))


def read_pipeline(text: str, *, file: str = "pipeline") -> ReadPipeline:
    """Read a text.  :param file: its path, for people.  :raises PipelineFileError: with all its mistakes."""
    written = read_file(text, file)
    mistakes = written.mistakes()
    pipeline = _read(written.value, mistakes)
    check(mistakes)
    return ReadPipeline(pipeline=pipeline, written=written)


def _read(value: Any, mistakes: Mistakes) -> Pipeline:
    members = Members(value, (), mistakes, what="a pipeline", known=MEMBERS)
    if not isinstance(value, Mapping):
        return Pipeline(name="")
    if members.raw("api") != API:
        members.wrong(
            "api", "the file says which form it has", given=members.raw("api"), valid=(API,), fix=f"api: {API}"
        )
    name = members.text("name")
    if not name:
        members.wrong("name", "a pipeline has a name", given=None, fix="name: the DAG's id")
    params = tuple(
        values.read_parameter(n, v, (*members.at("params"), n), mistakes) for n, v in members.mapping("params").items()
    )
    stores = {
        n: values.read_datastore(n, v, (*members.at("datastores"), n), mistakes)
        for n, v in members.mapping("datastores").items()
    }
    datastores = {n: store for n, store in stores.items() if store is not None}
    said_data = members.mapping("data")
    groups = tuple(
        values.read_group(n, v, (*members.at("groups"), n), mistakes) for n, v in members.mapping("groups").items()
    )
    defaults = Members(members.mapping("defaults"), members.at("defaults"), mistakes, what="defaults", known=DEFAULTS)
    scope = Scope(mistakes=mistakes, params={p.name: template_of(p.name) for p in params}, data=frozenset(said_data))
    data = [
        values.read_data(n, v, (*members.at("data"), n), mistakes, datastores, scope.text) for n, v in said_data.items()
    ]
    steps = read_steps(
        members.raw("steps"),
        members.at("steps"),
        scope,
        datastores=datastores,
        defaults=defaults.value,
        defaults_place=members.at("defaults"),
    )
    groups = _placed_groups(groups, members)
    settings = read_settings(members, PIPELINE_SETTINGS)
    if (timezone := members.text("timezone")) is not None and "start_date" not in settings:
        members.wrong("timezone", "a time zone is that of the start date", fix="add start_date: 2026-01-31")
    return Pipeline(
        name=name or "",
        title=members.text("title"),
        description=members.text("description"),
        doc=members.text("doc"),
        tags=tuple(sorted({*members.texts("tags")})),
        params=params,
        data=tuple(one for one in data if one is not None),
        groups=groups,
        steps=_placed_steps(steps, groups, members),
        schedule=read_schedule(members.raw("schedule"), members.at("schedule"), mistakes, said_data),
        settings=settings | ({"timezone": timezone} if timezone not in (None, "UTC") else {}),
    )


def _placed_groups(groups: tuple[Group, ...], members: Members) -> tuple[Group, ...]:
    """Groups with the groups around them; a parent stands before its children."""
    prefixes = [group.name for group in groups if group.prefix]
    placed: list[Group] = []
    for group in groups:
        at = (*members.at("groups"), group.name)
        parent = group.parent or around(group.name, prefixes)
        known = [one.name for one in placed]
        if parent is not None and parent not in known:
            what = "there is no such group before this one"
            members.mistakes.add(at, what, given=parent, valid=known or "this is the first", fix=nearest(parent, known))
        _check_prefix(group.name, parent, groups, (*members.at("groups"), group.name), members.mistakes)
        placed.append(replace(group, parent=parent))
    return tuple(placed)


def _placed_steps(steps: tuple[Step, ...], groups: tuple[Group, ...], members: Members) -> tuple[Step, ...]:
    """Steps with their groups."""
    prefixes, names = [group.name for group in groups if group.prefix], [group.name for group in groups]
    placed = []
    for step in steps:
        at = (*members.at("steps"), step.task_id)
        group = step.group or around(step.task_id, prefixes)
        if group is not None and group not in names:
            valid = names or "no groups are declared"
            members.mistakes.add(
                (*at, "group"), "there is no such group", given=group, valid=valid, fix=nearest(group, names)
            )
        if step.task_id in names:
            members.mistakes.add(at, "a group has this name", fix="rename one of the two", of_key=True)
        _check_prefix(step.task_id, group, groups, at, members.mistakes)
        placed.append(replace(step, group=group))
    return tuple(placed)


def around(name: str, prefixes: Collection[str]) -> str | None:
    """The innermost group whose name is the beginning of this one."""
    return max((one for one in prefixes if name.startswith(f"{one}.")), key=len, default=None)


def _check_prefix(name: str, group: str | None, groups: tuple[Group, ...], at: Any, mistakes: Mistakes) -> None:
    """Airflow makes the ids of what is in a group: with its name, unless it has no prefix."""
    prefix = prefix_of(group, groups)
    if prefix and not name.startswith(f"{prefix}."):
        fix = f"name it {prefix}.{name}, or say prefix: false of the group"
        mistakes.add(at, f"what is in group {group!r} begins with its name", given=name, fix=fix, of_key=True)


def prefix_of(group: str | None, groups: tuple[Group, ...]) -> str:
    """What the ids of the members of a group begin with, as Airflow makes them."""
    return next((one.name for one in groups if one.name == group and one.prefix), "")
