"""What the API answers when it refuses: ``Status`` documents, in the wording of an apiserver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kubernetes_double.objects.resources import Object, Resource


@dataclass(frozen=True, slots=True)
class Cause:
    """One fault of an object.  :param reason: ``FieldValueRequired``, ``FieldValueInvalid``, ..."""

    field: str
    reason: str
    message: str

    def document(self) -> Object:
        """As in ``status.details.causes``."""
        return {"reason": self.reason, "message": self.message, "field": self.field}


class ApiError(Exception):
    """A refusal.  :param headers: of the answer, over the usual ones."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: Object | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message
        self.details, self.headers = details or {}, headers or {}

    def document(self) -> Object:
        """The answer's body."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": self.details,
            "code": self.code,
        }


def _of(resource: Resource, name: str, **more: Any) -> Object:
    details = {"name": name, "group": resource.group, "kind": resource.plural, **more}
    return {key: value for key, value in details.items() if value}


def not_found(resource: Resource, name: str) -> ApiError:
    """There is no such object."""
    return ApiError(404, "NotFound", f'{resource.qualified} "{name}" not found', details=_of(resource, name))


def already_exists(resource: Resource, name: str) -> ApiError:
    """There is one of that name."""
    message = f'{resource.qualified} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, details=_of(resource, name))


def conflict(resource: Resource, name: str, why: str) -> ApiError:
    """The object is not the one that the request was made for."""
    message = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}'
    return ApiError(409, "Conflict", message, details=_of(resource, name))


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def bad_request(message: str) -> ApiError:
    """The request cannot be understood."""
    return ApiError(400, "BadRequest", message)


def invalid(resource: Resource, name: str, causes: Sequence[Cause]) -> ApiError:
    """The object breaks a rule of its kind."""
    told = [f"{cause.field}: {cause.message}" for cause in causes]
    text = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
    details = _of(resource, name, causes=[cause.document() for cause in causes])
    details["kind"] = resource.kind
    return ApiError(422, "Invalid", f'{resource.kind} "{name}" is invalid: {text}', details=details)


def forbidden(resource: Resource, name: str, why: str) -> ApiError:
    """The object may not be made, whoever asks."""
    message = (
        f'{resource.qualified} "{name}" is forbidden: {why}' if name else f"{resource.qualified} is forbidden: {why}"
    )
    return ApiError(403, "Forbidden", message, details=_of(resource, name))


def unauthorized() -> ApiError:
    """Nobody is known by these credentials."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def gone(version: str) -> ApiError:
    """A version that nothing is remembered of."""
    return ApiError(410, "Expired", f"too old resource version: {version}")


def unsupported(resource: Resource | None) -> ApiError:
    """A verb that this kind has not."""
    details = _of(resource, "") if resource else {}
    return ApiError(
        405, "MethodNotAllowed", "the server does not allow this method on the requested resource", details=details
    )


def no_such_path() -> ApiError:
    """Nothing is served there."""
    return ApiError(404, "NotFound", "the server could not find the requested resource")
