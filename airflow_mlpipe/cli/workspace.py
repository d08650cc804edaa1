"""The workspace of this deployment, as the commands get it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_mlpipe.hooks.workspace import Stores
    from airflow_mlpipe.store.workspace import Workspace


def open_stores() -> Stores:
    """Every datastore, from Airflow's configuration.  :raises ConfigurationError: for an option of the wrong form."""
    from airflow_mlpipe.hooks.workspace import Stores

    # As Airflow's own command line does (cli/commands/connection_command.py): connections are looked up in the
    # database too, which a worker must not do and a process of unknown kind therefore does not.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    return Stores()


def open_workspace() -> Workspace:
    """The workspace, from ``[mlpipe] workspace``.

    :raises ConfigurationError: when it cannot be opened. :raises WorkspaceVersionError: when it is newer than this.
    """
    return open_stores().workspace
