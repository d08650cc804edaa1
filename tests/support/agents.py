"""The agent as a process, and a program between its two verbs: for tests of what runs on another machine."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from airflow_mlpipe.model import Environment, PipelineData
from airflow_mlpipe.model.code import CodeFile, CodeSnapshot
from airflow_mlpipe.model.step import Argument, CodeSpec, OutputPath, OutputPort, StepSpec, Text
from airflow_mlpipe.runtime.candidates import Candidates
from airflow_mlpipe.runtime.documents.stores import DocumentStores, configs_of, configs_to_bytes
from airflow_mlpipe.runtime.job import Job
from airflow_mlpipe.runtime.orders import make_order
from airflow_mlpipe.runtime.plan import Planned, plan
from airflow_mlpipe.store.base import ObjectStore
from airflow_mlpipe.store.config import StoreConfig

FILE = PipelineData("o", kind="file", filename="o.txt")
FOLDER = PipelineData("d")
AGENT = (sys.executable, "-m", "airflow_mlpipe.runtime.agent")


def job_of(
    *command: Argument | str,
    script: str | None = None,
    attempt: str = "a1",
    outputs: tuple[PipelineData, ...] = (),
    **options: Any,
) -> Job:
    """A job of a command, or of a Python script."""
    members = {name: options.pop(name) for name in ("secrets", "image", "fingerprint") if name in options}
    snapshot, code = None, None
    if script is not None:
        snapshot = CodeSnapshot(
            files={"main.py": CodeFile(data=textwrap.dedent(script).encode()), "lib/x.txt": CodeFile(data=b"x")},
            counted=frozenset({"main.py"}),
        )
        code = CodeSpec(root="/nowhere", entry="main.py")
    step = StepSpec(
        label="demo/run/step",
        kind="command" if script is None else "script",
        code=code,
        command=tuple(Text(c, c) if isinstance(c, str) else c for c in command),
        outputs=tuple(OutputPort(data=data) for data in outputs),
        **{"environment": Environment(image="an/image"), **options},
    )
    members.setdefault("fingerprint", "mlp1:" + "0" * 64)
    return Job(step=step, attempt=attempt, snapshot=snapshot, **members)


def writes(text: str, **options: Any) -> Job:
    """A job that writes a file and a folder."""
    script = 'printf "$1" > "$2"; mkdir "$3/deep"; printf y > "$3/deep/f"'
    command = ("sh", "-c", script, "sh", text, OutputPath("o"), OutputPath("d"))
    return job_of(*command, outputs=(FILE, FOLDER), **options)


@dataclass
class AgentBench:
    """One attempt on this machine, as if it were another.

    :param folder: of the test. :param configs: datastores by spelling, the workspace as the empty one.
    """

    folder: Path
    configs: Mapping[str, StoreConfig]
    job: Job
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stores = DocumentStores(self.configs)
        self.root = self.folder / "mlpipe"
        self.root.mkdir(parents=True, exist_ok=True)
        self.order(self.job)

    def order(self, job: Job) -> None:
        """Write the documents of a job."""
        self.job = job
        (self.folder / "job.json").write_bytes(make_order(job, self.stores).to_bytes())
        secret = self.folder / "stores.json"
        secret.unlink(missing_ok=True)
        secret.write_bytes(configs_to_bytes(configs_of(job.step, self.stores, folders=True)))
        secret.chmod(0o400)
        (self.folder / "secrets").mkdir(exist_ok=True)
        for name, value in job.secrets.items():
            (self.folder / "secrets" / name).write_text(value)

    @property
    def workspace(self) -> ObjectStore:
        """Its store."""
        return self.stores.contents("").store

    @property
    def candidates(self) -> Candidates:
        """Of the workspace."""
        return Candidates(self.workspace)

    @property
    def keys(self) -> list[str]:
        """What is in the workspace."""
        return sorted(info.key for info in self.workspace.list())

    def command(self, verb: str, *more: str) -> list[str]:
        """The agent's command line."""
        found = [*AGENT, verb, "--root", str(self.root)]
        if verb != "ready":
            found += ["--job", str(self.folder / "job.json"), "--stores", str(self.folder / "stores.json")]
        if verb in ("stage", "sidecar"):
            found += ["--secrets", str(self.folder / "secrets")]
        return [*found, *more]

    def start(self, verb: str, *more: str) -> subprocess.Popen[str]:
        """The agent, running."""
        command, pipe = self.command(verb, *more), subprocess.PIPE
        return subprocess.Popen(command, stdout=pipe, stderr=subprocess.STDOUT, text=True, env=clean())

    def do(self, verb: str, *more: str) -> int:
        """The agent's exit code."""
        process = self.start(verb, *more)
        self.said = process.communicate()[0].splitlines()
        return process.returncode

    def planned(self) -> Planned:
        """The program, with the paths of this machine."""
        return plan(self.job, top=self.root)

    def program(self) -> int:
        """Run the job's program; its exit code."""
        planned = self.planned()
        argv = [sys.executable if one == "python3" and not i else one for i, one in enumerate(planned.argv)]
        environment = {"PATH": os.environ["PATH"], **planned.environment}
        done = subprocess.run(argv, cwd=planned.cwd, env=environment, check=False, capture_output=True, text=True)
        self.said = (done.stdout + done.stderr).splitlines()
        return done.returncode

    def another(self, name: str) -> AgentBench:
        """The same attempt on another machine."""
        return replace(self, folder=self.folder / name)


def clean() -> dict[str, str]:
    """An environment without anything of Airflow's."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
