"""Workspace: in v1 the service, here the names that a script takes datastores and computes from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.azureml.config import WorkspaceConfig, find_config
from airflow_mlpipe.azureml.warn import ignored
from airflow_mlpipe.azureml.where import calling_file

if TYPE_CHECKING:
    from airflow_mlpipe.azureml.compute import ComputeTarget
    from airflow_mlpipe.azureml.datastore import Datastore
    from airflow_mlpipe.azureml.environment import Environment
    from airflow_mlpipe.azureml.experiment import Experiment

DEFAULT_DATASTORE = "workspaceblobstore"
"""v1's name for the datastore that every workspace has; here, of outputs, the workspace of ``[mlpipe] workspace``."""


class Workspace:
    """The names of datastores, computes and datasets that a script uses.

    There is no service behind it: nothing is asked and nobody logs in.  What the names are is said in ``config.json``
    (see :mod:`~airflow_mlpipe.azureml.config`) and in Airflow's configuration.
    """

    def __init__(
        self,
        subscription_id: str = "",
        resource_group: str = "",
        workspace_name: str = "workspace",
        auth: object = None,
        *,
        config: WorkspaceConfig | None = None,
        **others: Any,
    ) -> None:
        ignored("Workspace", {"auth": auth, **others}, why="there is no service to log in to")
        self.config = config or WorkspaceConfig(
            workspace_name=workspace_name, subscription_id=subscription_id, resource_group=resource_group
        )
        self._default: str = DEFAULT_DATASTORE

    @classmethod
    def from_config(cls, path: str | None = None, auth: object = None, _file_name: str | None = None) -> Workspace:
        """The workspace of ``config.json``, looked for from the script's folder upwards.

        :raises ConfigurationError: for a file that is not understood. Without any file the names are Airflow's.
        """
        ignored("Workspace.from_config", {"auth": auth}, why="there is no service to log in to")
        return cls(config=find_config(os.path.dirname(calling_file()), path, _file_name))

    @classmethod
    def get(
        cls,
        name: str,
        auth: object = None,
        subscription_id: str = "",
        resource_group: str = "",
        **others: Any,
    ) -> Workspace:
        """A workspace by name; a ``config.json`` near the script says what its names are."""
        ignored("Workspace.get", {"auth": auth, **others}, why="there is no service to log in to")
        found = find_config(os.path.dirname(calling_file()))
        return cls(config=found) if found.file else cls(subscription_id, resource_group, name)

    @property
    def name(self) -> str:
        """As in ``config.json``."""
        return self.config.workspace_name

    @property
    def subscription_id(self) -> str:
        """As in ``config.json``; it says nothing here."""
        return self.config.subscription_id

    @property
    def resource_group(self) -> str:
        """As in ``config.json``; it says nothing here."""
        return self.config.resource_group

    @property
    def location(self) -> str:
        """As in ``config.json``; it says nothing here."""
        return self.config.location

    def get_default_datastore(self) -> Datastore:
        """Where outputs go that name no datastore."""
        from airflow_mlpipe.azureml.datastore import Datastore

        return Datastore(self, self._default)

    def set_default_datastore(self, name: str) -> None:
        """Let outputs go to this datastore, for the rest of the script."""
        self._default = name

    @property
    def datastores(self) -> Mapping[str, Datastore]:
        """Datastores by name: those of ``config.json``; any other name is taken to be Airflow's."""
        from airflow_mlpipe.azureml.datastore import Datastore

        return _Named({name: Datastore(self, name) for name in self.config.datastores}, lambda n: Datastore(self, n))

    @property
    def compute_targets(self) -> Mapping[str, ComputeTarget]:
        """Computes by name: those of ``config.json``; any other name is taken to be one, too."""
        from airflow_mlpipe.azureml.compute import ComputeTarget

        known = {name: ComputeTarget(self, name) for name in self.config.compute_targets}
        return _Named(known, lambda n: ComputeTarget(self, n))

    @property
    def environments(self) -> Mapping[str, Environment]:
        """Environments registered by this script."""
        from airflow_mlpipe.azureml.environment import registered

        return registered()

    @property
    def experiments(self) -> Mapping[str, Experiment]:
        """Any name is an experiment."""
        from airflow_mlpipe.azureml.experiment import Experiment

        return _Named({}, lambda n: Experiment(self, n))

    def get_details(self) -> dict[str, str]:
        """What ``config.json`` says of the service."""
        return {"name": self.name, "location": self.location, "resourceGroup": self.resource_group}

    def __repr__(self) -> str:
        return f"Workspace({self.name!r})"


class _Named(dict[str, Any]):
    """A dict in which every text is a key, because names are checked where they are used."""

    def __init__(self, known: Mapping[str, Any], make: Any) -> None:
        super().__init__(known)
        self._make = make

    def __missing__(self, name: str) -> Any:
        self[name] = self._make(name)
        return self[name]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str)

    def get(self, name: str, default: Any = None) -> Any:
        return self[name]
