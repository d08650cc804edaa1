"""A deployment on local folders, and steps that run in it: for tests of the engine and of the local compute."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from airflow_mlpipe.model import Datastore, PipelineData
from airflow_mlpipe.model.code import CodeFile, CodeSnapshot
from airflow_mlpipe.model.reference import OutputReference
from airflow_mlpipe.model.step import CodeSpec, InputPort, OutputPort, StepSpec
from airflow_mlpipe.runtime.engine import Attempt, Recheck, run_job
from airflow_mlpipe.runtime.job import Job, JobResult
from airflow_mlpipe.runtime.layout import remove
from airflow_mlpipe.runtime.stores import Host
from airflow_mlpipe.store.base import ObjectStore
from airflow_mlpipe.store.config import StoreConfig
from airflow_mlpipe.store.contents import Contents
from airflow_mlpipe.store.local import LocalObjectStore


class LocalStores:
    """Every datastore is a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = LocalObjectStore(root / "workspace")
        self._contents = Contents(self.store)

    def contents(self, spelling: str) -> Contents:
        """The workspace's, or those of a datastore's folder."""
        return self._contents if not spelling else Contents(LocalObjectStore(self.root / spelling))

    def datastore(self, datastore: Datastore) -> ObjectStore:
        """A folder beside the workspace."""
        return LocalObjectStore(self.root / datastore.name)

    def local_root(self, datastore: Datastore) -> Path | None:
        """Its path."""
        return self.root / datastore.name

    def config(self, spelling: str) -> StoreConfig:
        """Its URL."""
        return StoreConfig(url=(self.root / (Datastore.spelled(spelling).name if spelling else "workspace")).as_uri())


@dataclass
class Deployment:
    """Runs scripts as steps."""

    root: Path
    stores: LocalStores
    host: Host
    lines: list[str] = field(default_factory=list)
    attempts: int = 0
    on_line: Callable[[str], object] = lambda _: None

    def job(
        self, script: str | None, *, entry: str = "main.py", files: Mapping[str, str] | None = None, **options: Any
    ) -> Job:
        """A job for a script (or ``None``, for a command)."""
        names = ("timeout", "grace", "secrets", "fingerprint")
        members = {name: options.pop(name) for name in names if name in options}
        snapshot, code = None, None
        if script is not None:
            sources = {entry: textwrap.dedent(script)} | dict(files or {})
            snapshot = CodeSnapshot(
                files={n: CodeFile(data=t.encode()) for n, t in sorted(sources.items())}, counted=frozenset(sources)
            )
            code = CodeSpec(root="/nowhere", entry=entry)
        options.setdefault("kind", "script")
        step = StepSpec(label="demo/step", code=code, **options)
        self.attempts += 1
        members.setdefault("fingerprint", "mlp1:" + "0" * 64)
        return Job(step=step, attempt=f"{self.attempts:016x}", snapshot=snapshot, **members)

    def run(self, script: str | None, *, recheck: Recheck | None = None, **options: Any) -> JobResult:
        """Run it to its end."""
        job = self.job(script, **options)
        return run_job(job, stores=self.stores, host=self.host, on_line=self._line, recheck=recheck)

    def attempt(self, script: str, **options: Any) -> Attempt:
        """Not started yet."""
        return self.attempt_of(self.job(script, **options))

    def attempt_of(self, job: Job, *, keep_failed: bool = False) -> Attempt:
        """Of a job that is made already."""
        host = replace(self.host, keep_failed=keep_failed)
        return Attempt(job, stores=self.stores, host=host, on_line=self._line)

    def _line(self, line: str) -> None:
        self.lines.append(line)
        self.on_line(line)

    def forget_cache(self) -> None:
        """What another host starts with."""
        remove(self.host.cache)

    def write(self, script: str, *data: PipelineData) -> tuple[OutputReference, ...]:
        """Publish the outputs that a script writes."""
        return self.run(script, outputs=ports(*data)).outputs

    @property
    def left_in_scratch(self) -> list[str]:
        """Folders of attempts that are still there."""
        return sorted(p.name for p in self.host.scratch.glob("*") if p.is_dir() or not p.with_suffix("").exists())


def ports(*data: PipelineData) -> tuple[OutputPort, ...]:
    """Output ports."""
    return tuple(OutputPort(data=d) for d in data)


def reads(name: str, *references: OutputReference, many: bool = False) -> InputPort:
    """An input port."""
    return InputPort(name=name, references=references, many=many)


def deployment(root: Path) -> Deployment:
    """A deployment in a folder."""
    return Deployment(root, LocalStores(root / "stores"), Host(cache=root / "cache", scratch=root / "scratch"))
