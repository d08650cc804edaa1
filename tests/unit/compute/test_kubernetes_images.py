"""From a tag to a digest, over the API of a registry."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.pod_bench import kubernetes_config
from support.registry import Registry

from airflow_mlpipe.compute.kubernetes_.images import login_of_secret, pin_image
from airflow_mlpipe.compute.kubernetes_.registry import Login, parse_reference
from airflow_mlpipe.errors import ComputeError, ConfigurationError
from airflow_mlpipe.runtime.job import PinnedImage

Pin = Callable[..., PinnedImage]
DIGEST = "sha256:" + "ab" * 32


@pytest.fixture
def registry() -> Iterator[Registry]:
    """One whose image has a user and a PYTHONPATH, and that anybody may pull from, with a token."""
    with Registry(config={"User": "4242", "Env": ["PYTHONPATH=/opt/lib", "A=b"]}).serve() as found:
        yield found


@pytest.fixture
def pin(tmp_path: Path) -> Pin:
    """As the compute does."""

    def call(image: str, login: dict[str, str] | None = None, **members: Any) -> PinnedImage:
        secrets = members.pop("secrets", {})
        config = kubernetes_config(**members)
        return pin_image(image, config, where="step", login=lambda: login, secret=secrets.get, cache=tmp_path)

    return call


def secret_of(host: str, login: str) -> dict[str, Any]:
    """Of the type that clusters pull with."""
    auths = {"auths": {f"https://{host}/v1/": {"auth": base64.b64encode(login.encode()).decode()}}}
    data = {".dockerconfigjson": base64.b64encode(json.dumps(auths).encode()).decode()}
    return {"type": "kubernetes.io/dockerconfigjson", "data": data}


def test_a_tag_becomes_a_digest(registry: Registry, pin: Pin) -> None:
    """With what the image says of itself; the pod is started by the digest."""
    found = pin(f"{registry.host}/team/train:1")
    assert found.identity == registry.digest
    assert found.reference == f"{registry.host}/team/train@{registry.digest}"
    assert (found.user, found.python_path, found.is_described) == ("4242", "/opt/lib", True)
    assert registry.asked[0] == "HEAD /v2/team/train/manifests/1"


def test_an_image_is_read_once_on_a_host(registry: Registry, pin: Pin) -> None:
    """Afterwards only the digest is asked for."""
    first = pin(f"{registry.host}/team/train:1")
    registry.asked.clear()
    assert pin(f"{registry.host}/team/train:1") == first
    assert [one for one in registry.asked if one.startswith("GET /v2/")] == []


def test_a_registry_that_says_no_digest_is_read(registry: Registry, pin: Pin) -> None:
    """The digest is that of the manifest's bytes."""
    registry.says_digest = False
    assert pin(f"{registry.host}/team/train:1").identity == registry.digest


def test_a_configuration_that_cannot_be_read_is_no_error(registry: Registry, pin: Pin) -> None:
    """Then it is not known who the image's user is."""
    registry.blobs.clear()
    found = pin(f"{registry.host}/team/train:1")
    assert (found.identity, found.is_described) == (registry.digest, False)


@pytest.mark.parametrize("scheme", ["bearer", "basic"])
def test_a_login_is_given_where_the_registry_wants_one(registry: Registry, pin: Pin, scheme: str) -> None:
    """Of the compute's connection, or of the secrets that the cluster pulls with."""
    registry.login, registry.scheme = "me:secret:word", scheme
    image = f"{registry.host}/team/train:1"
    with pytest.raises(ConfigurationError, match="may not be seen with this login"):
        pin(image)
    assert pin(image, {"username": "me", "password": "secret:word"}).identity == registry.digest
    secrets = {"other": {"type": "Opaque"}, "pull": secret_of(registry.host, registry.login)}
    assert pin(image, secrets=secrets, image_pull_secrets="other, pull").identity == registry.digest


def test_an_image_that_is_not_there_is_said(registry: Registry, pin: Pin) -> None:
    """It is the author's mistake, and trying again is of no use."""
    with pytest.raises(ConfigurationError, match="it is not there"):
        pin(f"{registry.host}/team/train:2")


def test_a_registry_that_does_not_answer_is_no_fault_of_the_step(registry: Registry, pin: Pin) -> None:
    """Down, or not reached at all; with the way out."""
    registry.down = True
    with pytest.raises(ComputeError, match=r"the registry refused .503"):
        pin(f"{registry.host}/team/train:1")
    with pytest.raises(ComputeError, match='"resolve_digest": false'):
        pin("127.0.0.1:1/team/train:1")


def test_a_digest_asks_nobody(registry: Registry, pin: Pin) -> None:
    """Nor does a tag where registries cannot be reached: then the text counts."""
    image = f"{registry.host}/team/train@{DIGEST}"
    assert (pin(image).identity, pin(image).reference) == (DIGEST, image)
    tag = f"{registry.host}/team/train:1"
    assert pin(tag, resolve_digest=False).identity == tag
    assert registry.asked == []


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("python", ("registry-1.docker.io", "library/python", "latest", "python")),
        ("python:3.12", ("registry-1.docker.io", "library/python", "3.12", "python")),
        ("docker.io/pytorch/pytorch:2", ("registry-1.docker.io", "pytorch/pytorch", "2", "docker.io/pytorch/pytorch")),
        ("localhost/a:1", ("localhost", "a", "1", "localhost/a")),
        ("r.example:5000/a/b", ("r.example:5000", "a/b", "latest", "r.example:5000/a/b")),
        (f"ghcr.io/a/b:1@{DIGEST}", ("ghcr.io", "a/b", "1", "ghcr.io/a/b")),
    ],
)
def test_names_are_read_as_container_tools_do(image: str, parts: tuple[str, ...]) -> None:
    """Host, repository, tag; and the name that a digest is appended to."""
    found = parse_reference(image, where="step")
    assert (found.registry, found.repository, found.tag, found.repository_name) == parts


@pytest.mark.parametrize("image", ["", "Upper/case", "a b", "a:", "a@sha256:12", "../a", "http://a/b"])
def test_what_is_no_name_is_refused(image: str) -> None:
    """Before anybody is asked."""
    with pytest.raises(ConfigurationError, match="not an image's name"):
        parse_reference(image, where="step")


def test_a_login_shows_no_password() -> None:
    """Not even in a traceback."""
    assert "word" not in repr(Login(user="me", password="word"))
    assert login_of_secret(secret_of("index.docker.io", "me:word"), "registry-1.docker.io") == Login("me", "word")
    assert login_of_secret(secret_of("evil.example", "me:word"), "registry-1.docker.io") is None
