"""A thin client of a cluster's API: the calls that the compute makes, and what their errors mean.

Objects are plain JSON, as the API writes them.  A request that the API could not serve is asked again for a while: it
is restarted, overloaded or upgraded while steps run.  What was done although its answer was lost is recognised.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_mlpipe.compute.kubernetes_config import KubernetesConfig
from airflow_mlpipe.errors import ComputeError, ConfigurationError

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

CONNECT, ANSWER = 10.0, 60.0
"""Seconds that a connection, and the answer to a request, may take."""

WATCH_SECONDS = 240
"""How long one watch lasts; proxies cut what is silent for longer."""

_WAITS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds between tries of one request."""

_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})

Object = dict[str, Any]


class Stream:
    """Bytes of an answer that goes on, which another thread may end."""

    def __init__(self, response: Any) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        rest = b""
        for piece in self._response.stream(2**16, decode_content=False):
            *whole, rest = (rest + piece).split(b"\n")
            yield from (line + b"\n" for line in whole)
        if rest:
            yield rest

    def end(self) -> None:
        """Whoever reads gets no more."""
        shutdown = getattr(self._response, "shutdown", None) or self._response.close  # of urllib3 since 2.3
        try:
            shutdown()
        except (OSError, ValueError, RuntimeError, AttributeError):
            return  # it has ended by itself


class Cluster:
    """One namespace of a cluster.

    :param api: the client's. :param where: for messages: which compute.
    """

    def __init__(self, api: ApiClient, namespace: str, *, where: str) -> None:
        from kubernetes.client import CoreV1Api

        self.namespace, self._where = namespace, where
        self._core = CoreV1Api(api)

    # ---- requests --------------------------------------------------------------------------------------------------

    def create(self, kind: str, body: Mapping[str, Any]) -> Object:
        """Create a ``pod`` or a ``secret``; one that was created by a request whose answer was lost is returned."""
        number = 0

        def send() -> Any:
            nonlocal number
            number += 1
            return getattr(self._core, f"create_namespaced_{kind}")(self.namespace, body, **_OPTIONS)

        try:
            return self._ask(send, f"create {kind}s")
        except ComputeError as error:
            if number > 1 and _status(error) == 409:
                found = self.read(kind, body["metadata"]["name"])
                if found is not None:
                    return found
            raise

    def read(self, kind: str, name: str) -> Object | None:
        """As it is now."""
        read = getattr(self._core, f"read_namespaced_{kind}")
        return self._unless_gone(lambda: read(name, self.namespace, **_OPTIONS), f"get {kind}s")

    def list(self, kind: str, selector: str) -> list[Object]:
        """All that have these labels."""
        found = getattr(self._core, f"list_namespaced_{kind}")
        answer = self._ask(lambda: found(self.namespace, label_selector=selector, **_OPTIONS), f"list {kind}s")
        return list(answer["items"])

    def own(self, secret: str, pod: Mapping[str, Any]) -> None:
        """Let a secret go with its pod."""
        owner = {"apiVersion": "v1", "kind": "Pod", "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
        body = {"metadata": {"ownerReferences": [owner]}}
        self._ask(lambda: self._core.patch_namespaced_secret(secret, self.namespace, body, **_OPTIONS), "patch secrets")

    def delete(self, kind: str, name: str, *, uid: str | None = None, grace: float | None = None) -> None:
        """Delete what may be gone already.

        :param uid: of the one that is meant. :param grace: seconds; by default the object's.
        """
        body: Object = {"preconditions": {"uid": uid}} if uid else {}
        if grace is not None:
            body["gracePeriodSeconds"] = int(grace)
        delete = getattr(self._core, f"delete_namespaced_{kind}")
        try:
            self._unless_gone(lambda: delete(name, self.namespace, body=body, **_OPTIONS), f"delete {kind}s")
        except ComputeError as error:
            if _status(error) != 409:  # another one of this name
                raise

    # ---- streams ---------------------------------------------------------------------------------------------------

    def watch(self, kind: str, field: str, version: str = "") -> Stream:
        """Changes of what a field selector names, one JSON document a line; without a version, first what there is."""
        options: Object = {"resource_version": version} if version else {}
        found = getattr(self._core, f"list_namespaced_{kind}")
        return self._stream(
            lambda: found(
                self.namespace,
                watch=True,
                field_selector=field,
                timeout_seconds=WATCH_SECONDS,
                allow_watch_bookmarks=True,
                _preload_content=False,
                _request_timeout=(CONNECT, WATCH_SECONDS + ANSWER),
                **options,
            )
        )

    def log(self, pod: str, container: str, since: str = "", *, follow: bool = True) -> Stream:
        """Lines with their moments.  :param since: of which moment on. :param follow: as long as the container runs."""
        query = [("container", container), ("follow", str(follow).lower()), ("timestamps", "true")]
        query += [("sinceTime", since)] if since else []  # the API has it, the client's own method has not
        return self._stream(
            lambda: self._core.api_client.call_api(
                f"/api/v1/namespaces/{self.namespace}/pods/{pod}/log",
                "GET",
                query_params=query,
                header_params={"Accept": "*/*"},
                auth_settings=["BearerToken"],
                _preload_content=False,
                _return_http_data_only=True,
                _request_timeout=(CONNECT, None),
            )
        )

    def _stream(self, ask: Callable[[], Any]) -> Stream:
        """:raises ComputeError: at once; whoever reads streams comes back."""
        with _Told(self._where, "watch"):
            return Stream(ask())

    # ---- errors ----------------------------------------------------------------------------------------------------

    def _ask(self, ask: Callable[[], Any], verb: str) -> Object:
        for wait in (*_WAITS, None):
            try:
                with _Told(self._where, verb):
                    return dict(json.loads(ask().data))
            except ComputeError as error:
                status = _status(error)
                if wait is None or (status is not None and status not in _AGAIN):
                    raise
                time.sleep(max(wait, _retry_after(error)))
        raise AssertionError

    def _unless_gone(self, ask: Callable[[], Any], verb: str) -> Object | None:
        try:
            return self._ask(ask, verb)
        except ComputeError as error:
            if _status(error) == 404:
                return None
            raise


_OPTIONS: Mapping[str, Any] = {"_preload_content": False, "_request_timeout": (CONNECT, ANSWER)}


class _Told:
    """Errors of requests as errors of the compute."""

    def __init__(self, where: str, verb: str) -> None:
        self._where, self._verb = where, verb

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        if isinstance(error, AttributeError) and isinstance(error.__context__, ApiException):
            error = error.__context__  # the client fails to show an answer that never came
        if isinstance(error, ApiException) and error.status:
            self._refused(error)
        if isinstance(error, (ApiException, HTTPError, OSError, ValueError)):
            raise ComputeError(
                f"the cluster does not answer ({_short(str(error))})", reason="api", where=self._where
            ) from error

    def _refused(self, error: Any) -> NoReturn:
        said = explanation(error)
        if "exceeded quota" in said:
            raise ComputeError(said, reason="quota", where=self._where) from error
        fix = None
        if error.status in (401, 403) and "PodSecurity" in said:
            fix = "correct the template of the compute, or let the namespace take such pods"
        elif error.status in (401, 403):
            fix = f"let this worker {self._verb}: docs/computes.md lists the rights"
        elif error.status in (400, 422):
            fix = "correct the compute's options, or its template"
        elif error.status == 404 and self._verb.startswith("create"):
            fix = "correct the namespace of the compute, or make it"
        if fix is not None:
            raise ConfigurationError(f"the cluster refused: {said}", where=self._where, fix=fix) from error
        raise ComputeError(f"the cluster refused: {said}", reason="api", where=self._where) from error


def explanation(error: Any) -> str:
    """The API's own words."""
    try:
        said = json.loads(error.body)["message"]
    except (TypeError, ValueError, KeyError):
        said = error.body or error.reason or error
    return _short(str(said))


def _short(text: str) -> str:
    return " ".join(text.split())[:600]


def _status(error: ComputeError) -> int | None:
    """Of HTTP; ``None`` where nothing was answered."""
    status = getattr(error.__cause__, "status", None)
    return int(status) if status else None


def _retry_after(error: ComputeError) -> float:
    headers = getattr(error.__cause__, "headers", None) or {}
    try:
        return min(float(headers.get("Retry-After", 0)), 60.0)
    except ValueError:
        return 0.0


def open_cluster(config: KubernetesConfig, *, where: str) -> tuple[ApiClient, str]:
    """A client and its namespace, of a kubeconfig or the worker's own pod; nothing is asked of the cluster yet.

    :raises ConfigurationError: without the client, and where nothing says which cluster.
    """
    try:
        from kubernetes import client
        from kubernetes import config as loading
    except ImportError as error:
        raise ConfigurationError(
            "the Kubernetes compute needs the Kubernetes client",
            where=where,
            fix='pip install "airflow-provider-mlpipe[kubernetes]"',
        ) from error
    settings = client.Configuration()
    settings.retries = False  # ours, which know what may be sent twice
    try:
        if config.in_cluster:
            loading.load_incluster_config(client_configuration=settings)
            namespace = _own_namespace()
        else:
            loading.load_kube_config(config.kubeconfig, context=config.context, client_configuration=settings)
            namespace = _namespace_of(config)
    except (loading.ConfigException, OSError, TypeError) as error:
        raise ConfigurationError(
            f"it is not said which cluster ({error})",
            where=where,
            given=config.kubeconfig,
            fix="give the compute a kubeconfig, in_cluster or a connection",
        ) from error
    return client.ApiClient(settings), config.namespace or namespace or "default"


def _namespace_of(config: KubernetesConfig) -> str | None:
    """Of the context."""
    from kubernetes import config as loading

    every, active = loading.list_kube_config_contexts(config.kubeconfig)
    chosen = next((one for one in every if one["name"] == config.context), active)
    return (chosen.get("context") or {}).get("namespace")


def _own_namespace() -> str | None:
    try:
        with open("/var/run/secrets/kubernetes.io/serviceaccount/namespace", encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return None
