"""Every error this package raises, in one hierarchy.

An error is data and advice: it keeps its parts as attributes and its message says *what* is wrong, *where*, the *given*
value, the *valid* values and the *next step*.  Two mix-ins drive retries: :class:`Transient` (the same attempt may
succeed later: a store that does not answer) and :class:`Terminal` (it cannot: the author's mistake).

This is the lowest module of the package; it imports nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterable


class Transient:
    """Mix-in: trying again, unchanged, may succeed."""


class Terminal:
    """Mix-in: trying again, unchanged, cannot succeed."""


class MLPipeError(Exception):
    """Base of all errors of this package.

    :param what: what is wrong, one sentence without a final full stop.
    :param where: the step, file, connection or option that it is about.
    :param given: the offending value, shown with ``repr``.
    :param valid: the values that would have been accepted.
    :param fix: the next step for the reader, in the imperative.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        given: object = None,
        valid: Iterable[object] | str | None = None,
        fix: str | None = None,
    ) -> None:
        self.what = what
        self.where = where
        self.given = given
        self.valid = valid if valid is None or isinstance(valid, str) else tuple(valid)
        self.fix = fix
        super().__init__(self._message())

    def _message(self) -> str:
        parts = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.given is not None:
            parts.append(f"given: {self.given!r}")
        if self.valid is not None:
            shown = self.valid if isinstance(self.valid, str) else ", ".join(repr(v) for v in self.valid)
            parts.append(f"valid: {shown}")
        if self.fix:
            parts.append(f"fix: {self.fix}")
        return ". ".join(p.rstrip(".") for p in parts) + "."


class DefinitionError(MLPipeError, Terminal, ValueError):
    """The DAG author's mistake, raised while the DAG file is parsed."""


class ConfigurationError(MLPipeError, Terminal):
    """A deployment's mistake: an option, a connection, a missing extra."""


class UncacheableError(MLPipeError, Terminal):
    """A value has no canonical form, so no fingerprint can contain it.

    :ivar path: where in the key the value stands, for example ``params.model``.
    :ivar type_name: the type of the value.
    :param what: what else stands against it.
    """

    def __init__(self, path: str, value: object, *, fix: str | None = None, what: str | None = None) -> None:
        self.path = path
        self.type_name = f"{type(value).__module__}.{type(value).__qualname__}"
        super().__init__(
            what or f"a value of type {self.type_name} has no canonical form",
            where=path,
            fix=fix
            or "pass plain values (None, bool, int, float, str, list, dict), or leave it out with Reuse(ignore=...)",
        )


class PathError(MLPipeError, Terminal):
    """A path leaves its root, or has no portable form."""


class InputError(MLPipeError):
    """An input is missing, unreadable, or changed while the step ran."""


class InputChangedError(InputError):
    """An input's identity after the run is not the one before it; the result is not published."""


class StoreError(MLPipeError):
    """A datastore refused or failed an operation."""


class StoreUnavailableError(StoreError, Transient):
    """A datastore did not answer after several tries."""


class ObjectNotFoundError(StoreError):
    """An object that must be there is not.

    Not a :class:`LookupError`: callers who expect absence ask ``head`` or catch exactly this.
    """


class CorruptedError(StoreError):
    """Stored bytes do not have the digest, or the shape, that their name promises."""


class WorkspaceVersionError(ConfigurationError):
    """The workspace, or a document in it, was written by a newer version of this package."""


class TransferCancelledError(MLPipeError, Transient):
    """A transfer was ended because its task was; what had arrived by then is not sent again."""


class EnvironmentBuildError(MLPipeError):
    """A step's Python environment could not be built."""


class ComputeError(MLPipeError, Transient):
    """What should execute a step failed, and not the step: an engine that is gone, an image that cannot be pulled.

    :ivar reason: which of the failures it is, for code: ``"engine"``, ``"image"``, ``"gpu"``, ``"lost"`` ...
    """

    def __init__(self, what: str, *, reason: str, **parts: object) -> None:
        self.reason = reason
        super().__init__(what, **parts)  # type: ignore[arg-type]


class ContainerEngineError(ComputeError):
    """A container engine did not answer, or refused: the infrastructure is at fault, and not what was to run."""

    def __init__(self, what: str, **parts: object) -> None:
        super().__init__(what, reason="engine", **parts)


class StepError(MLPipeError):
    """A step's program, or what it left behind, is at fault (not the infrastructure)."""


class ProgramFailedError(StepError):
    """The program ended with an exit code other than 0.

    :ivar exit_code: the exit code; negative for death by that signal number.
    :ivar tail: the last lines that the program printed.
    """

    def __init__(self, what: str, *, exit_code: int, tail: tuple[str, ...] = (), **parts: object) -> None:
        self.exit_code = exit_code
        self.tail = tail
        super().__init__(what, **parts)  # type: ignore[arg-type]

    def _message(self) -> str:
        message = super()._message()
        return message + "\nIts last lines:\n  " + "\n  ".join(self.tail) if self.tail else message


class RetryMeError(ProgramFailedError, Transient):
    """Exit code 75 (EX_TEMPFAIL of sysexits.h): the program asks to be retried."""


class DoNotRetryError(ProgramFailedError, Terminal):
    """Exit code 77 (EX_NOPERM of sysexits.h): the program says that a retry is of no use."""


class OutOfMemoryError(ProgramFailedError):
    """The program was killed for the memory it used.

    :ivar peak_bytes: the most memory that was seen in use, in bytes; ``None`` if unknown.
    :ivar limit_bytes: the limit that it ran under, in bytes; ``None`` for the machine's.
    """

    def __init__(self, what: str, *, peak_bytes: int | None = None, limit_bytes: int | None = None, **parts: object):
        self.peak_bytes = peak_bytes
        self.limit_bytes = limit_bytes
        super().__init__(what, **parts)  # type: ignore[arg-type]


class TimedOutError(ProgramFailedError):
    """The program ran past its time and was ended."""


class StepCancelledError(ProgramFailedError, Transient):
    """The program was ended because its task was (marked failed or cleared while it ran, or the worker shut down).

    Transient for the sake of the last: whoever marks a task has decided its state, and what the task says is ignored.
    """


class OutputMissingError(StepError):
    """The program ended with exit code 0 and did not write an output that it declared."""


class OutputInvalidError(StepError):
    """An output is there and cannot be published: a link out of its root, a socket, a name no store can hold."""
