"""How much of a machine is needed, as files of every kind say it: the members of :class:`Resources`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_mlpipe.model.resources import Gpu, Resources
from airflow_mlpipe.written.members import Members, names_of
from airflow_mlpipe.written.mistakes import Mistakes
from airflow_mlpipe.written.places import Place


def read_resources(value: Any, place: Place, mistakes: Mistakes) -> Resources | None:
    """Read them; ``None`` where they are wrong."""
    members = Members(value, place, mistakes, what="resources", known=names_of(Resources))
    gpu: Any = members.raw("gpu")
    if isinstance(gpu, Mapping):
        gpu = _gpu(Members(gpu, members.at("gpu"), mistakes, what="a GPU", known=names_of(Gpu)))
    amounts = {name: _amount(members, name) for name in ("memory", "shm", "disk")}
    cpu = members.number("cpu")
    return members.made(place, lambda: Resources(cpu=cpu, gpu=gpu, **amounts))


def _gpu(members: Members) -> Gpu | None:
    count, kind, memory = members.integer("count"), members.text("kind"), _amount(members, "memory")
    return members.made(members.place, lambda: Gpu(1 if count is None else count, kind=kind, memory=memory))


def _amount(members: Members, name: str) -> Any:
    """A quantity, or bytes: a whole number stays one, or the digests of modules that say it would change."""
    value = members.raw(name)
    return value if type(value) is int else members.text(name)
