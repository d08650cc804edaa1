"""The volumes of an attempt: names, labels, making and removing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from airflow_mlpipe.compute.docker.spec import PREFIX, TOP, Volume, labels_of, name_of
from airflow_mlpipe.runtime.job import Job

if TYPE_CHECKING:
    from docker import APIClient

Role = Literal["folders", "secrets", "checkpoints"]
ROLE = f"{PREFIX}role"
"""Label: what one of our containers or volumes is for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Volumes:
    """The names of an attempt's volumes.

    :param folders: of the program and the agent. :param secrets: of the program alone.
    :param checkpoints: of every attempt of a fingerprint.
    """

    folders: str
    secrets: str
    checkpoints: str

    @classmethod
    def of(cls, job: Job, workspace: str) -> Volumes:
        """Of a job; of an attempt that is gone on with, give the job with that attempt."""
        mark = hashlib.sha256(f"{workspace}\0{job.fingerprint}".encode()).hexdigest()[:24]
        return cls(folders=name_of(job), secrets=f"{name_of(job)}-secrets", checkpoints=f"mlpipe-checkpoints-{mark}")

    @property
    def of_agent(self) -> tuple[Volume, ...]:
        """What the agent sees."""
        return (Volume(self.folders, str(TOP)), Volume(self.checkpoints, str(TOP / "checkpoints")))

    @property
    def of_program(self) -> tuple[Volume, ...]:
        """What the program sees."""
        return (*self.of_agent, Volume(self.secrets, str(TOP / "private")))


def make_volumes(api: APIClient, volumes: Volumes, job: Job, workspace: str) -> None:
    """Make those that are not there.  :raises docker.errors.APIError: as the engine does."""
    of_attempt = labels_of(job, workspace)
    of_fingerprint = {f"{PREFIX}workspace": workspace, f"{PREFIX}fingerprint": job.fingerprint}
    roles: tuple[tuple[Role, str, dict[str, str]], ...] = (
        ("folders", volumes.folders, of_attempt),
        ("secrets", volumes.secrets, of_attempt),
        ("checkpoints", volumes.checkpoints, of_fingerprint),
    )
    for role, name, labels in roles:
        api.create_volume(name, labels=labels | {ROLE: role})


def volumes_with(api: APIClient, labels: dict[str, str]) -> dict[str, dict[str, str]]:
    """Names and labels of the volumes that have these labels."""
    found = api.volumes(filters={"label": [f"{name}={value}" for name, value in labels.items()]})
    return {one["Name"]: dict(one["Labels"] or {}) for one in found["Volumes"] or ()}
