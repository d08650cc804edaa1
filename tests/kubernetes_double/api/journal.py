"""What clients asked, and what they are refused for the sake of a test."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field

from kubernetes_double.api.status import ApiError

_REASONS = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request.  :param path: without its query.  :param status: that it was answered with."""

    method: str
    path: str
    query: dict[str, str]
    user: str
    status: int


@dataclass(slots=True)
class Fault:
    """A refusal of the next requests."""

    left: int
    status: int
    method: str | None
    path: re.Pattern[str]
    headers: dict[str, str] = field(default_factory=dict)


class Journal:
    """The requests so far, in their order, and the faults to come."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[Request] = []
        self._faults: list[Fault] = []

    def add(self, request: Request) -> None:
        """Remember one."""
        with self._lock:
            self._requests.append(request)

    def requests(self, method: str | None = None, path: str = "") -> list[Request]:
        """Those with the method whose paths the pattern finds something in."""
        with self._lock:
            return [
                one for one in self._requests if method in (None, one.method) and re.search(path, one.path) is not None
            ]

    def clear(self) -> None:
        """Forget them."""
        with self._lock:
            self._requests.clear()

    def refuse(self, fault: Fault) -> None:
        """Refuse what the fault describes, as often as it says."""
        with self._lock:
            self._faults.append(fault)

    def check(self, method: str, path: str) -> None:
        """:raises ApiError: if a fault waits for such a request."""
        with self._lock:
            for fault in self._faults:
                if fault.left > 0 and fault.method in (None, method) and fault.path.search(path):
                    fault.left -= 1
                    break
            else:
                return
        reason = _REASONS.get(fault.status, "Unknown")
        raise ApiError(fault.status, reason, "refused on purpose by the test double", headers=fault.headers)
