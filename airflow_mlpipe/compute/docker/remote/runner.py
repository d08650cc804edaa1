"""Run: a program in a container whose folders are volumes, from finding an earlier one to its end."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from airflow_mlpipe.compute.docker.engine import told
from airflow_mlpipe.compute.docker.remote.archive import archive_of, only_file
from airflow_mlpipe.compute.docker.remote.spec import PROGRAM, volume_spec
from airflow_mlpipe.compute.docker.remote.tidy import ATTEMPT, WORKSPACE, remove_volume
from airflow_mlpipe.compute.docker.remote.volumes import ROLE, volumes_with
from airflow_mlpipe.compute.docker.runner import ContainerRunner
from airflow_mlpipe.compute.docker.spec import PREFIX, TOP, ContainerSpec
from airflow_mlpipe.runtime.function import refused_by
from airflow_mlpipe.runtime.job import Job
from airflow_mlpipe.runtime.process import Program
from airflow_mlpipe.runtime.runner import Folders
from airflow_mlpipe.runtime.verdict import Ended, check

_ANSWER = TOP / "exchange" / "answer.json"
_LONGEST_ANSWER = 1 << 20


class VolumeRunner(ContainerRunner):
    """Executes the program of one attempt in a container of an engine on another machine.

    The container stays until its outputs are published, so that another worker can go on with it until then.
    """

    def find(self, job: Job) -> Path | None:
        """What an earlier try left; containers and volumes of any other attempt of the step go."""
        found = super().find(job)
        labels = {WORKSPACE: self._workspace, f"{PREFIX}step": job.step.label}
        with told(self._config, self._where):
            for name, of_volume in volumes_with(self._api, labels).items():
                if found is None or of_volume.get(ATTEMPT) != self.attempt:
                    remove_volume(self._api, name)
        return found

    def _sweep(self) -> None:
        """Volumes of such attempts, too; the engine keeps those that some container has."""
        super()._sweep()
        for role in ("folders", "secrets"):
            for name in volumes_with(self._api, {WORKSPACE: self._workspace, ROLE: role}):
                if self._is_forgotten(self._made(name)):
                    remove_volume(self._api, name)

    def _made(self, volume: str) -> str:
        """When, as the engine writes it of containers: in UTC."""
        made = datetime.fromisoformat(self._api.inspect_volume(volume)["CreatedAt"].replace("Z", "+00:00"))
        return f"{made.astimezone(timezone.utc).replace(tzinfo=None).isoformat()}Z"

    def _is_ours(self, container: dict[str, Any]) -> bool:
        labels, state = container["Config"]["Labels"], container["State"]
        same = bool(self._job.same) and labels.get(f"{PREFIX}same") == self._job.same
        ended = state["Status"] == "exited" and (state["ExitCode"] == 0 or self._job.resumed)
        return labels.get(ROLE) == PROGRAM and same and (state["Running"] or ended)

    @property
    def attempt(self) -> str:
        """The attempt that is executed: the one that was found, else the job's own."""
        return str(self._found["Config"]["Labels"][ATTEMPT]) if self._found else self._job.attempt

    def stop_if_cancelled(self) -> None:
        """:raises StepCancelledError: when it was."""
        if self._cancelled:
            self._raise_cancelled()

    def follow(self, container: str, program: Program) -> Ended:
        """To its end, and how that was.

        :raises ProgramFailedError: and its kinds. :raises FunctionError: what a function got or returned cannot travel.
        """
        ended = self._follow(container, program)
        if ended.exit_code and not ended.stop and self._job.step.function is not None:
            answer = self._answer(container)
            if answer is not None and (error := refused_by(answer, self._where)) is not None:
                raise error
        check(ended, program.where, program.argv[0], program.timeout, program.memory_limit)
        return ended

    def _answer(self, container: str) -> bytes | None:
        from docker.errors import NotFound

        try:
            pieces, status = self._api.get_archive(container, str(_ANSWER))
        except NotFound:
            return None
        return only_file(b"".join(pieces)) if status["size"] <= _LONGEST_ANSWER else None

    def _spec(self, program: Program, folders: Folders) -> ContainerSpec:
        return volume_spec(self._job, program, self._config, workspace=self._workspace, worker=self._worker)

    def _open_folders(self, folders: Folders) -> None:
        """The agent did."""

    def _before_start(self, container: str) -> None:
        """Secrets go to a volume of the program alone, which has any user."""
        if self._job.secrets:
            values = {name: value.encode() for name, value in self._job.secrets.items()}
            self._api.put_archive(container, str(TOP / "private"), archive_of(values, mode=0o444))
