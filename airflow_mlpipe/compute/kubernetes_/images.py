"""Which image a step runs in: a tag is resolved once, through the registry, and pods are started by the digest."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from secrets import token_hex
from typing import Any

from airflow_mlpipe.compute.kubernetes_.registry import Login, Reference, Resolved, parse_reference, resolve
from airflow_mlpipe.compute.kubernetes_config import KubernetesConfig
from airflow_mlpipe.errors import MLPipeError
from airflow_mlpipe.model.documents import parse, tag, to_bytes
from airflow_mlpipe.runtime.job import PinnedImage

_TYPE = "kubernetes.io/dockerconfigjson"


def pin_image(
    image: str,
    config: KubernetesConfig,
    *,
    where: str,
    login: Callable[[], dict[str, str] | None],
    secret: Callable[[str], dict[str, Any] | None],
    cache: Path,
) -> PinnedImage:
    """Resolve a tag.  One that is a digest already is taken as it is, and so is every other where registries cannot be
    reached from the worker (``resolve_digest`` off): then the text counts, whatever it points to.

    :param login: for the registry. :param secret: reads one of the namespace, by name.
    :param cache: folder of this host for what images say of themselves.
    :raises ConfigurationError: when there is no such image. :raises ComputeError: when the registry does not answer.
    """
    reference = parse_reference(image, where=where)
    if reference.digest is not None:
        return PinnedImage(name=image, identity=reference.digest, reference=image, is_described=False)
    if not config.resolve_digest:
        return PinnedImage(name=image, identity=image, reference=image, is_described=False)
    found = resolve(
        reference,
        lambda: _login(reference, config, login, secret),
        where=where,
        known=lambda digest: _known(cache, digest),
    )
    _remember(cache, found)
    return PinnedImage(
        name=image,
        identity=found.digest,
        reference=f"{reference.repository_name}@{found.digest}",
        user=found.user,
        python_path=found.python_path,
        is_described=found.is_described,
    )


def _known(cache: Path, digest: str) -> Resolved | None:
    try:
        found = parse((cache / f"{digest.partition(':')[2]}.json").read_bytes(), "image", 1, where=str(cache))
        return Resolved(digest=digest, user=found["user"], python_path=found["python_path"], is_described=True)
    except (OSError, KeyError, MLPipeError):  # nothing depends on it
        return None


def _remember(cache: Path, found: Resolved) -> None:
    if not found.is_described:
        return
    document = tag("image", 1) | {"user": found.user, "python_path": found.python_path}
    with contextlib.suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
        new = cache / f"new-{token_hex(8)}"
        new.write_bytes(to_bytes(document))
        new.replace(cache / f"{found.digest.partition(':')[2]}.json")


def _login(
    reference: Reference,
    config: KubernetesConfig,
    login: Callable[[], dict[str, str] | None],
    secret: Callable[[str], dict[str, Any] | None],
) -> Login | None:
    """Of the connection, else of the secrets by which the cluster pulls."""
    if (given := login()) is not None:
        return Login(user=given["username"], password=given["password"])
    for name in config.image_pull_secrets:
        document = secret(name)
        if document is not None and (found := login_of_secret(document, reference.registry)) is not None:
            return found
    return None


def login_of_secret(secret: Mapping[str, Any], registry: str) -> Login | None:
    """User and password for a registry from a secret of type ``kubernetes.io/dockerconfigjson``."""
    if secret.get("type") != _TYPE:
        return None
    try:
        auths = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))["auths"]
    except (KeyError, ValueError, TypeError):
        return None
    for key, one in auths.items():
        host = str(key).removeprefix("https://").removeprefix("http://").partition("/")[0]
        if host != registry and not (host in ("index.docker.io", "docker.io") and registry == "registry-1.docker.io"):
            continue
        if one.get("auth"):
            user, _, password = base64.b64decode(one["auth"]).decode().partition(":")
            return Login(user=user, password=password)
        if one.get("username"):
            return Login(user=one["username"], password=one.get("password", ""))
    return None
