"""Which image a step runs in: a tag is resolved once, the digest counts, and the container is started by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_mlpipe.compute.config import DockerConfig
from airflow_mlpipe.compute.docker.engine import explanation, told
from airflow_mlpipe.errors import ComputeError, ConfigurationError
from airflow_mlpipe.runtime.job import PinnedImage

if TYPE_CHECKING:
    from docker import APIClient

_FIX = "correct its name, build or pull it on that engine, or give the compute a login for its registry"
_PERMANENT = ("manifest unknown", "not found", "denied", "unauthorized", "invalid reference", "no basic auth")
"""Words of registries that a second try does not change."""


def pin_image(
    api: APIClient, image: str, config: DockerConfig, *, where: str, auth: dict[str, str] | None
) -> PinnedImage:
    """Find an image on the engine, or pull it.

    :param auth: for the registry, ``{"username": ..., "password": ...}``.
    :raises ConfigurationError: when there is none of this name. :raises ComputeError: when it cannot be pulled.
    """
    from docker.errors import APIError, DockerException, ImageNotFound

    with told(config, where):
        found = None
        if config.pull != "always":
            try:
                found = api.inspect_image(image)
            except ImageNotFound as error:
                if config.pull == "never":
                    raise _absent(image, "it is not on the engine, and pull is 'never'", where) from error
        if found is None:
            try:
                _pull(api, image, auth)
                found = api.inspect_image(image)
            except (APIError, DockerException) as error:
                said = " ".join(explanation(error).split())[:500]
                if any(words in said.lower() for words in _PERMANENT):
                    raise _absent(image, said, where) from error
                raise ComputeError(
                    f"the image cannot be pulled: {said}", reason="image", where=where, given=image, fix=_FIX
                ) from error
    return _pinned(image, found)


def _pull(api: APIClient, image: str, auth: dict[str, str] | None) -> None:
    from docker.errors import APIError
    from docker.utils import parse_repository_tag

    repository, tag = parse_repository_tag(image)
    for line in api.pull(repository, tag=tag or "latest", stream=True, decode=True, auth_config=auth):
        if "error" in line:
            raise APIError(line["error"])


def _pinned(image: str, found: dict[str, Any]) -> PinnedImage:
    """By the registry's digest where it has one: that is the same on every engine."""
    from docker.utils import parse_repository_tag

    repository = parse_repository_tag(image)[0]
    digests = [d for d in found.get("RepoDigests") or () if d.partition("@")[0].endswith(repository)]
    identity = digests[0].partition("@")[2] if digests else found["Id"]
    settings = found.get("Config") or {}
    environment = dict(entry.split("=", 1) for entry in settings.get("Env") or () if "=" in entry)
    return PinnedImage(
        name=image,
        identity=identity,
        reference=found["Id"],
        user=settings.get("User") or "",
        python_path=environment.get("PYTHONPATH"),
    )


def _absent(image: str, why: str, where: str) -> ConfigurationError:
    return ConfigurationError(f"there is no such image: {why}", where=where, given=image, fix=_FIX)
