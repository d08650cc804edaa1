"""``job/1``: a job as another machine gets it.

Its code is named by the digest under which the worker published it; the values of its secrets and the credentials of
its datastores are not in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from airflow_mlpipe.errors import CorruptedError, DefinitionError, MLPipeError, WorkspaceVersionError
from airflow_mlpipe.model.documents import parse, tag, to_bytes
from airflow_mlpipe.model.records import Producer
from airflow_mlpipe.runtime.documents.step import step_from_json, step_to_json
from airflow_mlpipe.runtime.job import Job, PinnedImage

_IMAGE = ("name", "identity", "reference", "user", "python_path")
_PLAIN = ("fingerprint", "attempt", "same", "timeout", "grace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A job to be done elsewhere.

    :param job: without its snapshot and the values of its secrets. :param code: tree of the workspace's contents that
        holds the snapshot; ``None`` without one.
    :param secrets: names of the secrets whose values the program finds.
    :param allow_pickle: the deployment's option, see :class:`~airflow_mlpipe.runtime.stores.Host`.
    """

    job: Job
    code: str | None = None
    secrets: tuple[str, ...] = ()
    allow_pickle: bool = False

    @classmethod
    def of(cls, job: Job, *, code: str | None, allow_pickle: bool = False) -> Order:
        """The order of a job whose snapshot is published."""
        plain = replace(job, snapshot=None, secrets={})
        return cls(job=plain, code=code, secrets=tuple(sorted(job.secrets)), allow_pickle=allow_pickle)

    def to_bytes(self) -> bytes:
        """The document.  :raises DefinitionError: when a parameter is not JSON."""
        job = self.job
        members = {name: getattr(job, name) for name in _PLAIN} | {
            "step": step_to_json(job.step),
            "producer": job.producer.to_json() if job.producer else None,
            "image": {name: getattr(job.image, name) for name in _IMAGE} if job.image else None,
            "code": self.code,
            "secrets": list(self.secrets),
            "allow_pickle": self.allow_pickle,
        }
        try:
            return to_bytes(tag("job", 1) | members)
        except (TypeError, ValueError) as error:
            raise DefinitionError(
                f"a step that runs elsewhere takes JSON values only ({error})",
                where=job.step.label,
                fix="pass numbers that are finite, texts, lists and dicts as parameters",
            ) from error

    @classmethod
    def from_bytes(cls, data: bytes, *, where: str = "job.json") -> Order:
        """Read :meth:`to_bytes` back.

        :raises CorruptedError: when it is none. :raises WorkspaceVersionError: when it is newer.
        """
        members = parse(data, "job", 1, where=where)
        try:
            return cls(
                job=_job(members),
                code=members["code"],
                secrets=tuple(members["secrets"]),
                allow_pickle=members["allow_pickle"],
            )
        except WorkspaceVersionError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError, MLPipeError) as error:
            raise CorruptedError(f"not a job ({error!r})", where=where) from error


def _job(members: Mapping[str, Any]) -> Job:
    return Job(
        **{name: members[name] for name in _PLAIN},
        step=step_from_json(members["step"]),
        producer=Producer.from_json(members["producer"]) if members["producer"] else None,
        image=PinnedImage(**members["image"]) if members["image"] else None,
    )
