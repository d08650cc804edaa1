"""Images: whether there, and pulled where the policy says so."""

from __future__ import annotations

import re

from docker import DockerClient
from docker.errors import APIError, DockerException, NotFound

from kubernetes_double.kubelet.trouble import Trouble

_HOST = r"(?:[a-zA-Z0-9](?:[-.a-zA-Z0-9]*[a-zA-Z0-9])?(?::\d+)?/)?"
_PATH = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"^{_HOST}{_PATH}(?:/{_PATH})*(?::\w[\w.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?$")


def check_name(image: str) -> None:
    """:raises Trouble: ``InvalidImageName``."""
    if not _NAME.match(image) and not re.fullmatch(r"sha256:[0-9a-f]{64}", image):
        message = (
            f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": '
            "invalid reference format"
        )
        raise Trouble("InvalidImageName", message)


def find(client: DockerClient, image: str) -> dict[str, object] | None:
    """What the engine knows of an image that it has."""
    try:
        return dict(client.api.inspect_image(image))
    except NotFound:
        return None
    except APIError as error:
        raise Trouble("ImageInspectError", f'Failed to inspect image "{image}": {error}') from error


def pull(client: DockerClient, image: str) -> None:
    """:raises Trouble: ``ErrImagePull``."""
    name, _, digest = image.partition("@")
    last = name.rpartition("/")[2]
    repository, tag = (name.rpartition(":")[0], last.partition(":")[2]) if ":" in last else (name, "latest")
    try:
        client.api.pull(repository, tag=digest or tag)
    except (DockerException, OSError) as error:
        why = getattr(error, "explanation", None) or str(error)
        message = f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": {why}'
        raise Trouble("ErrImagePull", message) from error


def identity(info: dict[str, object]) -> str:
    """As statuses tell it: by digest where a registry gave one."""
    digests = info.get("RepoDigests")
    return str(digests[0]) if isinstance(digests, list) and digests else str(info["Id"])
