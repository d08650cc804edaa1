"""An engine on another machine: its volumes are the attempt's folders, and the agent moves the data there.

Guarantees: bytes go from the datastores to that machine and back, never through the worker; credentials reach the agent
in a file that only its container has; whatever happens, containers and volumes of an attempt are gone when it is over.
What a dead worker left is found by labels, as on a local engine: the volume is the attempt's folder.
"""

from airflow_mlpipe.compute.docker.remote.attempt import RemoteAttempt
from airflow_mlpipe.compute.docker.remote.tidy import kill_remote

__all__ = ["RemoteAttempt", "kill_remote"]
