"""As whom the containers of a pod run.

A pod passes the restricted Pod Security standard unless a deployment says otherwise, so nothing runs as root.  The
user of an image is respected; one that names none runs as a number.  The agent runs as the program's user where that
is known, so that it can read whatever the program writes; both belong to the group of the shared folders.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_mlpipe.compute.kubernetes_config import KubernetesConfig
from airflow_mlpipe.runtime.job import PinnedImage

USUAL = 1000
"""User and group of what names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """As whom.

    :param security: of the program's ``securityContext``. :param agent: our user. :param group: of the shared folders.
    """

    agent: int
    group: int
    security: Mapping[str, Any] = field(default_factory=dict)


def user_of(image: PinnedImage, config: KubernetesConfig) -> User:
    """The users of a pod."""
    if config.user == "image":
        return _known(image.user, {"runAsNonRoot": False})
    if image.is_described and image.user and not _is_root(image.user):
        return _known(image.user, {})
    if not image.is_described and config.user is None:  # the cluster refuses root
        return User(agent=USUAL, group=USUAL)
    user = config.user or f"{USUAL}:{USUAL}"
    uid, _, gid = user.partition(":")
    security = {"runAsUser": int(uid), "runAsGroup": int(gid or uid)}
    return _known(user, security if int(uid) else {**security, "runAsNonRoot": False})


def _known(user: str, security: Mapping[str, Any]) -> User:
    uid, _, gid = user.partition(":")
    number = int(uid) if uid.isdecimal() and int(uid) else USUAL
    group = int(gid) if gid.isdecimal() and int(gid) else number
    return User(agent=number, group=group, security=security)


def _is_root(user: str) -> bool:
    return user.partition(":")[0] in ("0", "root")
