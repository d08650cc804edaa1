"""A small client of image registries: from a tag to a digest, and to what an image says of itself.

The API of the distribution specification, https://github.com/opencontainers/distribution-spec/blob/main/spec.md, with
the tokens of https://distribution.github.io/distribution/spec/auth/token/.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_mlpipe.errors import ComputeError, ConfigurationError

if TYPE_CHECKING:
    import httpx

_SECONDS = 30.0
_TYPES = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_NAME = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*\Z")
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::\d+)?\Z")
_TAG = re.compile(r"\w[\w.-]{0,127}\Z")
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_FIX = "correct its name, push it, or give the compute a login or image_pull_secrets for its registry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An image's name in its parts.

    :param registry: host and perhaps port. :param written: the name as it was written, without tag and digest.
    """

    registry: str
    repository: str
    tag: str
    digest: str | None
    written: str

    @property
    def repository_name(self) -> str:
        """What a tag or digest is appended to."""
        return self.written


@dataclass(frozen=True, slots=True)
class Login:
    """For a registry."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Login(user={self.user!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What a registry says of a tag.

    :param is_described: whether its configuration could be read, which the other two are of.
    """

    digest: str
    user: str = ""
    python_path: str | None = None
    is_described: bool = False


def parse_reference(image: str, *, where: str) -> Reference:
    """An image's name, as container tools read it.

    :raises ConfigurationError: when it is none.
    """
    name, _, digest = image.partition("@")
    head, slash, rest = name.partition("/")
    has_host = bool(slash) and ("." in head or ":" in head or head == "localhost")
    path = rest if has_host else name
    last = path.rpartition("/")[2]
    repository, tag = path, "latest"
    if ":" in last:
        repository, _, tag = path.rpartition(":")
    wrong = (has_host and not _HOST.match(head)) or (digest and not _DIGEST.match(digest))
    if wrong or not _NAME.match(repository) or not _TAG.match(tag):
        raise ConfigurationError("not an image's name", where=where, given=image, valid="like registry/name:tag")
    hub = not has_host or head in ("docker.io", "index.docker.io")
    return Reference(
        registry="registry-1.docker.io" if hub else head,
        repository=f"library/{repository}" if hub and "/" not in repository else repository,
        tag=tag,
        digest=digest or None,
        written=f"{head}/{repository}" if has_host else repository,
    )


def resolve(
    reference: Reference,
    login: Callable[[], Login | None],
    *,
    where: str,
    known: Callable[[str], Resolved | None] = lambda _: None,
) -> Resolved:
    """The digest that a tag points to, and the user and the variables of its image where they can be read.

    :param login: asked for when the registry wants one. :param known: what was said of a digest before: registries
        count how often manifests are read, and not how often digests are asked for.
    :raises ConfigurationError: when there is no such image, or it may not be seen. :raises ComputeError: when the
        registry does not answer.
    """
    import httpx

    with httpx.Client(timeout=_SECONDS, follow_redirects=True, headers={"Accept": _TYPES}) as client:
        try:
            return _Registry(client, reference, login, where).resolve(known)
        except httpx.HTTPError as error:
            raise ComputeError(
                f"the registry does not answer ({error})",
                reason="image",
                where=where,
                given=reference.registry,
                fix='where the worker cannot reach it, set "resolve_digest": false for the compute',
            ) from error


class _Registry:
    """One repository of a registry."""

    def __init__(
        self, client: httpx.Client, reference: Reference, login: Callable[[], Login | None], where: str
    ) -> None:
        self._client, self._reference, self._login, self._where = client, reference, login, where
        scheme = "http" if _is_local(reference.registry) else "https"
        self._base = f"{scheme}://{reference.registry}/v2/{reference.repository}"

    def resolve(self, known: Callable[[str], Resolved | None]) -> Resolved:
        answer = self._ask("HEAD", f"manifests/{self._reference.tag}")
        digest = answer.headers.get("docker-content-digest", "")
        if not _DIGEST.match(digest):  # a registry need not say it
            digest = (
                "sha256:" + hashlib.sha256(self._ask("GET", f"manifests/{self._reference.tag}").content).hexdigest()
            )
        if (found := known(digest)) is not None:
            return found
        try:
            return self._described(digest)
        except (ComputeError, ConfigurationError, KeyError, ValueError, TypeError, StopIteration):
            return Resolved(digest=digest)

    def _described(self, digest: str) -> Resolved:
        """What is in the image's configuration; of several platforms' the first that is Linux."""
        manifest = json.loads(self._ask("GET", f"manifests/{digest}").content)
        if "manifests" in manifest:
            one = next(m for m in manifest["manifests"] if (m.get("platform") or {}).get("os") == "linux")
            manifest = json.loads(self._ask("GET", f"manifests/{one['digest']}").content)
        blob = self._ask("GET", f"blobs/{manifest['config']['digest']}").content
        config: Mapping[str, Any] = json.loads(blob).get("config") or {}
        variables = dict(entry.split("=", 1) for entry in config.get("Env") or () if "=" in entry)
        return Resolved(
            digest=digest,
            user=str(config.get("User") or ""),
            python_path=variables.get("PYTHONPATH"),
            is_described=True,
        )

    def _ask(self, method: str, path: str) -> httpx.Response:
        url = f"{self._base}/{path}"
        answer = self._client.request(method, url)
        if answer.status_code == 401:
            self._client.headers["Authorization"] = self._authorization(answer.headers.get("www-authenticate", ""))
            answer = self._client.request(method, url)
        if answer.status_code in (401, 403, 404):
            why = "it is not there" if answer.status_code == 404 else "it may not be seen with this login"
            given = f"{self._reference.written}:{self._reference.tag}"
            raise ConfigurationError(f"there is no such image: {why}", where=self._where, given=given, fix=_FIX)
        if not answer.is_success:
            raise ComputeError(
                f"the registry refused ({answer.status_code} {answer.reason_phrase})",
                reason="image",
                where=self._where,
                given=self._reference.registry,
            )
        return answer

    def _authorization(self, challenge: str) -> str:
        """What a registry's challenge asks for: the login itself, or a token that is got with it."""
        login, scheme = self._login(), challenge.partition(" ")[0].lower()
        if scheme != "bearer":
            return _basic(login) if login else ""
        parts = dict(_CHALLENGE.findall(challenge))
        realm = parts.get("realm", "")
        if urlsplit(realm).scheme not in ("http", "https") or (
            urlsplit(realm).scheme == "http" and self._base.startswith("https")
        ):
            raise ConfigurationError("the registry names no place for tokens", where=self._where, given=realm)
        query = {"scope": f"repository:{self._reference.repository}:pull"}
        query |= {"service": parts["service"]} if "service" in parts else {}
        headers = {"Authorization": _basic(login)} if login else {}
        answer = self._client.get(realm, params=query, headers=headers)
        answer.raise_for_status()
        document = answer.json()
        return f"Bearer {document.get('token') or document.get('access_token')}"


def _basic(login: Login) -> str:
    import base64

    return "Basic " + base64.b64encode(f"{login.user}:{login.password}".encode()).decode()


def _is_local(registry: str) -> bool:
    """Container tools speak plain HTTP to registries of this machine, and to no others."""
    host = registry.rpartition(":")[0] or registry
    return host in ("localhost", "127.0.0.1", "[::1]")
