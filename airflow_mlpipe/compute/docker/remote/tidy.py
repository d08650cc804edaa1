"""Removing what an attempt has on an engine; what is not there any more is no error."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_mlpipe.compute.config import DockerConfig
from airflow_mlpipe.compute.docker.engine import explanation, told
from airflow_mlpipe.compute.docker.remote.volumes import volumes_with
from airflow_mlpipe.compute.docker.spec import PREFIX

if TYPE_CHECKING:
    from docker import APIClient

ATTEMPT = f"{PREFIX}attempt"
WORKSPACE = f"{PREFIX}workspace"


def remove_attempt(api: APIClient, workspace: str, attempt: str, on_line: Callable[[str], object]) -> None:
    """Remove containers, then volumes; what cannot be removed is said."""
    from docker.errors import APIError, DockerException
    from requests.exceptions import RequestException

    labels = {WORKSPACE: workspace, ATTEMPT: attempt}
    try:
        for one in api.containers(all=True, filters={"label": [f"{n}={v}" for n, v in labels.items()]}):
            remove_container(api, one["Id"])
        for name in volumes_with(api, labels):
            remove_volume(api, name)
    except (APIError, DockerException, RequestException) as error:
        on_line(f"cannot remove what attempt {attempt} has on the engine: {explanation(error)}")


def remove_container(api: APIClient, container: str) -> None:
    """:raises docker.errors.APIError: as the engine does, but not for one that is gone."""
    _gone(api.remove_container, container, v=True, force=True)


def remove_volume(api: APIClient, name: str) -> None:
    """:raises docker.errors.APIError: as the engine does, but not for one that is gone."""
    _gone(api.remove_volume, name, force=True)


def kill_remote(api: APIClient, container: str, config: DockerConfig, *, where: str) -> None:
    """End a program that nobody follows, and remove all that its attempt has.

    :raises ComputeError: when the engine cannot be asked.
    """
    from docker.errors import NotFound

    with told(config, where):
        try:
            labels = api.inspect_container(container)["Config"]["Labels"]
        except NotFound:
            return
        remove_container(api, container)
        for name in volumes_with(api, {WORKSPACE: labels[WORKSPACE], ATTEMPT: labels[ATTEMPT]}):
            remove_volume(api, name)


def _gone(remove: Callable[..., object], name: str, **options: object) -> None:
    from docker.errors import APIError

    try:
        remove(name, **options)
    except APIError as error:
        # 404: it is gone. 409: somebody removes it just now.
        if getattr(error.response, "status_code", None) not in (404, 409):
            raise
