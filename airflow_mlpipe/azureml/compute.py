"""Compute targets of v1: names.  Nothing is created here; what a name is says the deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_mlpipe.azureml.warn import ignored, warn
from airflow_mlpipe.errors import DefinitionError, MLPipeError

if TYPE_CHECKING:
    from airflow_mlpipe.azureml.workspace import Workspace

BUILT_IN = frozenset({"local", "docker", "kubernetes"})


class ComputeTargetException(MLPipeError):  # noqa: N818 - its name in v1
    """v1's error for a compute that does not exist.  It is never raised: scripts catch it."""


class _Status(str):
    """What v1's objects answer, which scripts print as a dict."""

    __slots__ = ()

    def serialize(self) -> dict[str, str]:
        """As a dict."""
        return {"provisioningState": str(self)}


READY = _Status("Succeeded")


class ComputeTarget:
    """A compute by its name in v1."""

    def __init__(self, workspace: Workspace | None, name: str, **others: Any) -> None:
        ignored(type(self).__name__, others, why="a compute is a name")
        given: object = name
        if not isinstance(given, str) or not given:
            raise DefinitionError("a compute target is a name", where=type(self).__name__, given=name)
        self.workspace = workspace
        self.name = name

    @classmethod
    def create(cls, workspace: Workspace, name: str, provisioning_configuration: object = None) -> ComputeTarget:
        """The compute of this name.  It is not created: an administrator describes it in ``[mlpipe] computes``."""
        if provisioning_configuration is not None:
            warn(f"ComputeTarget.create({name!r}): nothing is created; describe the compute in [mlpipe] computes")
        return cls(workspace, name)

    attach = create

    @staticmethod
    def provisioning_configuration(**sizes: Any) -> dict[str, Any]:
        """What ``create`` was given in v1."""
        return sizes

    attach_configuration = provisioning_configuration

    def wait_for_completion(self, show_output: bool = False, **others: Any) -> None:
        """Nothing to wait for."""

    def get_status(self) -> str:
        """It is ready."""
        return READY

    @property
    def provisioning_state(self) -> str:
        """It is ready."""
        return READY

    @property
    def type(self) -> str:
        """The kind that v1 would say; here a name is a name."""
        return "AmlCompute" if type(self) is ComputeTarget else type(self).__name__

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


class AmlCompute(ComputeTarget):
    """A cluster by its name."""


class ComputeInstance(ComputeTarget):
    """A machine by its name."""


class RemoteCompute(ComputeTarget):
    """A machine by its name."""


class DataFactoryCompute(ComputeTarget):
    """v1's mover of data; here a DataTransferStep moves them itself."""


def compute_name(given: object, config: object, *, where: str) -> str:
    """The compute of ours that a v1 compute target is.

    What ``config.json`` maps it to; else a compute of that name in ``[mlpipe] computes``; else the worker, with a
    warning, so that a script runs before anybody has described computes.

    :raises DefinitionError: for a value that is no compute target.
    """
    if isinstance(given, tuple) and given:
        given = given[0]  # (name, type)
    if isinstance(given, ComputeTarget):
        given = given.name
    if given is None:
        return "local"
    if not isinstance(given, str):
        raise DefinitionError("compute_target is a ComputeTarget or a name", where=where, given=given)
    mapped: str | None = getattr(config, "compute_targets", {}).get(given)
    if mapped is not None or given in BUILT_IN:
        return mapped or given
    from airflow_mlpipe.hooks.settings import configured_computes

    if given in configured_computes():
        return given
    warn(
        f"compute target {given!r} is not described, so its steps run on the Airflow worker; "
        f'name it in config.json ("compute_targets": {{"{given}": "..."}}) or in [mlpipe] computes'
    )
    return "local"


def compute_kind(name: str) -> str:
    """The kind of a compute of ours: ``local``, ``docker``, ``kubernetes`` or ``airflow``."""
    if name in BUILT_IN:
        return name
    from airflow_mlpipe.hooks.settings import configured_computes

    described = configured_computes().get(name) or {}
    return str(described.get("kind") or "unknown")
