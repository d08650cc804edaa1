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


@dataclass(slots=True, kw_only=True)
class Fault:
    """What happens to the next requests of a method whose paths the pattern finds something in.

    :param left: to so many.
    :param status: refuses them, before anything is done.
    :param seconds: lets them wait first.
    :param lose: does what they ask for, and breaks the connection instead of answering.
    """

    left: int
    method: str | None
    path: re.Pattern[str]
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0
    lose: bool = False

    def refuse(self) -> None:
        """:raises ApiError: if it does."""
        if self.status is not None:
            reason = _REASONS.get(self.status, "Unknown")
            raise ApiError(self.status, reason, "refused on purpose by the test double", headers=self.headers)


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

    def plan(self, fault: Fault) -> None:
        """Let the fault come."""
        with self._lock:
            self._faults.append(fault)

    def fault(self, method: str, path: str) -> Fault | None:
        """The one that waits for such a request."""
        with self._lock:
            for fault in self._faults:
                if fault.left > 0 and fault.method in (None, method) and fault.path.search(path):
                    fault.left -= 1
                    return fault
        return None
