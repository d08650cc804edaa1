"""A thin client of Airflow's public REST API, version 2: log in, retry, page, and say what was refused.

Guarantees: a request that can be repeated is repeated, with back-off, while the server does not answer; a token that
expired is renewed once per request; no message holds a credential.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from airflow_mlpipe.experiment.credentials import Credentials
from airflow_mlpipe.experiment.errors import ApiError, ApiUnavailableError, AuthenticationError, UsageError

PAGE = 100  # Airflow's own default, and the largest page that [api] maximum_page_limit allows unless it was changed
# A 500 too: Airflow answers it while its database is locked or away, and every request of ours can be repeated.
_BUSY = frozenset({429, 500, 502, 503, 504})


def check_url(url: str) -> str:
    """The deployment's address without a final ``/`` or ``/api/v2``.

    :raises UsageError: when it is no http(s) address, or holds credentials (they are not repeated in the message).
    """
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise UsageError(
            "an address may not hold credentials", where="url", fix="give --username and --password-file instead"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise UsageError(
            "not an address of an Airflow API server", where="url", given=url, valid="like http://host:8080"
        )
    return url.rstrip("/").removesuffix("/api/v2").rstrip("/")


def path(*segments: object) -> str:
    """A path below ``/api/v2``; every segment is quoted, so no id can name another resource."""
    return "/api/v2/" + "/".join(quote(str(s), safe="") for s in segments)


class AirflowApi:
    """Requests to one deployment.

    :param url: its address, as in the browser. :param credentials: whom to log in as.
    :param patience: seconds to go on trying while the server does not answer.
    """

    def __init__(self, url: str, credentials: Credentials, *, patience: float = 30.0) -> None:
        self.url = check_url(url)
        self._credentials = credentials
        self._patience = patience
        self._token: str | None = None
        self._http = httpx.Client(base_url=self.url, timeout=httpx.Timeout(30.0, connect=10.0))

    def __repr__(self) -> str:
        return f"AirflowApi({self.url!r})"

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, where: str, **query: str | int | bool) -> Mapping[str, Any]:
        """GET a JSON object.  :raises ApiError: when it is refused (``status`` 404: not there)."""
        return self._ask("GET", where, query=query)

    def pages(self, where: str, member: str, **query: str | int | bool) -> Iterator[Mapping[str, Any]]:
        """Every item of a collection, page by page.  :raises ApiError: when it is refused."""
        offset = 0
        while True:
            page = self.get(where, **query, limit=PAGE, offset=offset)
            items = page.get(member) or []
            yield from items
            offset += len(items)
            total = page.get("total_entries")
            if not items or (isinstance(total, int) and offset >= total):
                return

    def post(self, where: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """POST a JSON object; the caller makes sure that it can be repeated.  :raises ApiError: when it is refused."""
        return self._ask("POST", where, body=body)

    def patch(self, where: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """PATCH with a JSON object.  :raises ApiError: when it is refused."""
        return self._ask("PATCH", where, body=body)

    def _ask(
        self, method: str, where: str, *, query: Mapping[str, Any] | None = None, body: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        response = self._authorised(method, where, query=query, body=body)
        if response.status_code == 401 and self._credentials.renewable:
            self._token = None
            response = self._authorised(method, where, query=query, body=body)
        if response.status_code in (401, 403):
            raise AuthenticationError(
                "the API refuses the credentials" if response.status_code == 401 else "not permitted",
                status=response.status_code,
                where=f"{method} {self.url}{where}",
                given=_detail(response),
                fix="check the user name and password, or the token, and the user's permissions on the DAG",
            )
        return _object(method, f"{self.url}{where}", response)

    def _authorised(
        self, method: str, where: str, *, query: Mapping[str, Any] | None, body: Mapping[str, Any] | None
    ) -> httpx.Response:
        if self._token is None:
            self._token = self._credentials.read_token() or self._log_in()
        headers = {"Authorization": f"Bearer {self._token}"}
        return self._send(method, where, params=query or None, json=body, headers=headers)

    def _log_in(self) -> str:
        body = self._credentials.login()
        # Without a user name: a deployment that lets everybody in (simple_auth_manager_all_admins) answers the GET.
        response = self._send("GET" if body is None else "POST", "/auth/token", json=body)
        if response.is_success and isinstance(token := _json(response).get("access_token"), str):
            return token
        if body is None:
            raise UsageError(
                "no credentials are given, and the API lets nobody in without",
                where=self.url,
                fix="give --username and --password-file or --token-file, or set MLPIPE_API_TOKEN",
            )
        # The answer is not shown: a server may repeat the request in it.
        raise AuthenticationError(
            f"the log-in was refused (HTTP {response.status_code})",
            status=response.status_code,
            where=f"POST {self.url}/auth/token",
            given=body["username"],
            fix="check the user name and password",
        )

    def _send(self, method: str, where: str, **request: Any) -> httpx.Response:
        def once() -> httpx.Response:
            try:
                response = self._http.request(method, where, **request)
            except httpx.TransportError as error:
                raise ApiUnavailableError(
                    f"the API does not answer ({str(error) or type(error).__name__})",
                    where=f"{method} {self.url}{where}",
                    fix="check the address, and that the API server runs",
                ) from error
            if response.status_code in _BUSY:
                raise ApiUnavailableError(
                    f"the API answers HTTP {response.status_code}",
                    status=response.status_code,
                    where=f"{method} {self.url}{where}",
                    given=_detail(response),
                )
            return response

        again = Retrying(
            retry=retry_if_exception_type(ApiUnavailableError),
            stop=stop_after_delay(self._patience),
            wait=wait_random_exponential(multiplier=0.2, max=3.0),
            reraise=True,
        )
        return again(once)


def _object(method: str, where: str, response: httpx.Response) -> Mapping[str, Any]:
    if response.is_redirect:
        raise ApiError(
            "the API sends elsewhere, and credentials are not sent along",
            status=response.status_code,
            where=f"{method} {where}",
            given=response.headers.get("location"),
            fix="give that address as the url",
        )
    if not response.is_success:
        raise ApiError(
            f"the API refuses the request (HTTP {response.status_code}): {_detail(response)}",
            status=response.status_code,
            where=f"{method} {where}",
        )
    return _json(response)


def _json(response: httpx.Response) -> Mapping[str, Any]:
    try:
        value = response.json()
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ApiError(
            "the answer is not JSON; this is no Airflow REST API, or a proxy answers for it",
            status=response.status_code,
            where=str(response.url),
        )
    return value


def _detail(response: httpx.Response) -> str:
    """What the server says is wrong: FastAPI's ``detail``, a text or a list of validation errors."""
    try:
        detail = response.json().get("detail")
    except (ValueError, AttributeError):
        return response.reason_phrase
    if isinstance(detail, list):
        return "; ".join(
            f"{'.'.join(map(str, d.get('loc', ())))}: {d.get('msg')}" for d in detail if isinstance(d, dict)
        )
    return str(detail) if detail else response.reason_phrase
