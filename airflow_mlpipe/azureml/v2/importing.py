"""One pipeline while it is imported: what its file will hold, and what has to be copied beside it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from airflow_mlpipe.azureml.v2.findings import Findings
from airflow_mlpipe.azureml.v2.nodes import Node, read_node
from airflow_mlpipe.azureml.v2.sources import Source
from airflow_mlpipe.model.data import Datastore
from airflow_mlpipe.pipelines.records import Data, Group, Parameter, Step
from airflow_mlpipe.written.mistakes import WrittenError


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeFolder:
    """Code to copy.

    :param source: a folder, or one file. :param includes: further files and folders that lie in it.
    """

    source: Path | None
    includes: tuple[Path, ...] = ()


@dataclass(slots=True, kw_only=True)
class Importing:
    """One pipeline.

    :param root: the folder of its YAML. :param computes: names of Azure's to computes of ours.
    :ivar folders: of code, by the name that they get. :ivar files: text, by name.
    """

    root: Path
    findings: Findings
    computes: Mapping[str, str] = field(default_factory=dict)
    params: dict[str, Parameter] = field(default_factory=dict)
    data: dict[str, Data] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    folders: dict[str, CodeFolder] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    _components: dict[str, Node] | None = None

    def rest(self, node: Node, known: frozenset[str], of_what: str) -> None:
        """Tell of every member that nobody looks at."""
        for other in node.others(known):
            if other.value not in (None, {}, []):
                self.findings.differs(other, f"this member {of_what} has no equivalent and is left out")

    def component(self, name: str) -> Node | None:
        """The component of a name, from the files below the pipeline's folder; the first one by path."""
        if self._components is None:
            self._components = {}
            for path in sorted(p for p in self.root.rglob("*") if p.suffix.lower() in (".yml", ".yaml")):
                try:
                    node = read_node(path)
                except (OSError, WrittenError, UnicodeDecodeError):
                    continue  # no component of ours; a file that a job names is told of by itself
                if (found := node.string("name")) and node.string("type") in ("command", "pipeline"):
                    self._components.setdefault(found, node)
        return self._components.get(name)

    def code(self, name: str, code: CodeFolder) -> str:
        """The name that a folder of code gets; equal ones are copied once."""
        for known, other in self.folders.items():
            if other == code:
                return known
        found = _free(_plain(name), self.folders)
        self.folders[found] = code
        return found

    def requirements(self, name: str, packages: tuple[str, ...]) -> str:
        """The name of a requirements file; equal ones are written once."""
        text = "".join(f"{package}\n" for package in packages)
        for known, other in self.files.items():
            if other == text:
                return known
        stems = [known.removesuffix(".txt") for known in self.files]
        found = _free(f"{_plain(name)}-requirements", stems) + ".txt"
        self.files[found] = text
        return found

    def datum(self, name: str, source: Source) -> str:
        """The name of data; the same place has one name."""
        for known, other in self.data.items():
            if (other.datastore, other.path) == (source.datastore, source.path):
                return known
        store = self._store(source.datastore)
        found = _free(re.sub(r"\W", "_", name, flags=re.ASCII), self.data)
        self.data[found] = Data(name=found, datastore=store, path=source.path)
        return found

    def _store(self, store: Datastore) -> Datastore:
        """A datastore, under another name if one of that name has another place."""
        number, name = 1, store.name
        others = [one.datastore for one in self.data.values()]
        while any(one.name == name and (one.url, one.connection) != (store.url, store.connection) for one in others):
            number += 1
            name = f"{store.name}_{number}"
        return Datastore(name, url=store.url, connection=store.connection)


def _plain(name: str) -> str:
    return re.sub(r"[^\w-]+", "_", name, flags=re.ASCII).strip("_") or "code"


def _free(name: str, taken: Collection[str]) -> str:
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    return found
