"""``config.json``: what the names of an Azure ML workspace are here.

The file that ``Workspace.from_config()`` read in v1 is read here, too.  Its own members say nothing to us; further
members map the workspace's names:

    {"workspace_name": "ml-team",
     "datastores": {"workspaceblobstore": "data", "lake": "s3://lake/ml|aws_lake"},
     "compute_targets": {"cpu-cluster": "local", "gpu-cluster": "a100"},
     "datasets": {"titanic": "lake:raw/titanic.csv"}}
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_mlpipe.errors import ConfigurationError
from airflow_mlpipe.model import data as model

_PLACES = ("config.json", ".azureml/config.json", "aml_config/config.json")
_OF_AZURE = ("subscription_id", "resource_group", "workspace_name", "id", "location", "scope", "portal_url")
_OURS = ("datastores", "compute_targets", "datasets")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceConfig:
    """The names of a workspace.

    :param datastores: a URL, ``URL|connection``, or a folder relative to the file. :param compute_targets: names of
        computes of ours. :param datasets: ``datastore:path``.
    :param file: where it is from; ``None`` without a file.
    """

    workspace_name: str = "workspace"
    subscription_id: str = ""
    resource_group: str = ""
    location: str = ""
    datastores: Mapping[str, str] = field(default_factory=dict)
    compute_targets: Mapping[str, str] = field(default_factory=dict)
    datasets: Mapping[str, str] = field(default_factory=dict)
    file: str | None = None

    def datastore(self, name: str) -> model.Datastore:
        """A datastore by its name in v1: where the file says, else Airflow's connection or option of that name.

        :raises DefinitionError: for a name or URL that is none.
        """
        if (said := self.datastores.get(name)) is None:
            return model.Datastore(name)
        url, _, connection = said.partition("|")
        if "://" not in url:
            url = (Path(self.file or "config.json").absolute().parent / url).resolve().as_uri()
        return model.Datastore(name, url=url, connection=connection or None)


def find_config(start: str, path: str | None = None, file_name: str | None = None) -> WorkspaceConfig:
    """Read the file in ``start``, or the nearest folder above that has one; without one, names are Airflow's.

    :param path: a file, or the folder to start from, relative to ``start``.
    :raises ConfigurationError: for a ``path`` that is not there, and a file that is no such configuration.
    """
    folder = Path(start, path) if path else Path(start)
    if path is not None and not folder.exists():
        raise ConfigurationError("there is no such file", where="Workspace.from_config(path)", given=str(folder))
    if folder.is_file():
        return read_config(folder)
    places = (file_name,) if file_name else _PLACES
    for above in (folder, *folder.resolve().parents):
        for place in places:
            if (found := above / place).is_file():
                return read_config(found)
    return WorkspaceConfig()


def read_config(file: Path) -> WorkspaceConfig:
    """One file.  :raises ConfigurationError: when it is no JSON, or has members that nobody knows."""
    try:
        members: Any = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"not a workspace configuration ({error})", where=str(file)) from error
    if not isinstance(members, dict):
        raise ConfigurationError("not a workspace configuration", where=str(file), valid="a JSON object")
    if unknown := {str(m) for m in members if str(m).lower() not in (*_OF_AZURE, *_OURS)}:
        raise ConfigurationError("unknown members", where=str(file), given=sorted(unknown), valid=_OURS + _OF_AZURE)
    members = {str(name).lower(): value for name, value in members.items()}
    known = WorkspaceConfig.__dataclass_fields__
    for name in _OURS:
        value = members.get(name, {})
        if not isinstance(value, dict) or not all(isinstance(v, str) and v for v in value.values()):
            raise ConfigurationError(f"{name} maps names to text", where=str(file), given=value)
    kept = {name: value for name, value in members.items() if name in known}
    return WorkspaceConfig(**kept, file=os.path.abspath(file))
