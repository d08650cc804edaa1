"""All mistakes of one file, collected while it is read and told together, each with its line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.errors import DefinitionError, MLPipeError

if TYPE_CHECKING:
    from airflow_mlpipe.written.places import Place, Places


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One thing that is wrong.

    :param line, column: counted from 1. :param at: which member, ``inputs.data.type``; empty for the file as a whole.
    :param what: without the parts that are given besides; see :class:`~airflow_mlpipe.errors.MLPipeError`.
    """

    line: int
    at: str
    what: str
    column: int = 1

    def __str__(self) -> str:
        return f"line {self.line}: {self.at}: {self.what}" if self.at else f"line {self.line}: {self.what}"


class WrittenError(DefinitionError):
    """A file that somebody wrote has mistakes.

    :ivar file: its path. :ivar mistakes: all of them, in the order of their lines.
    """

    def __init__(self, file: str, mistakes: Iterable[Mistake]) -> None:
        self.file = file
        self.mistakes = tuple(sorted(mistakes, key=lambda one: one.line))
        count = len(self.mistakes)
        super().__init__("1 mistake" if count == 1 else f"{count} mistakes", where=file)

    def _message(self) -> str:
        if len(self.mistakes) == 1:
            return f"{self.file}, {self.mistakes[0]}"
        return "\n  ".join([f"{self.file}: {self.what}:", *map(str, self.mistakes)])


@dataclass(slots=True)
class Mistakes:
    """The mistakes of a file while it is read.

    :param file: its path, for people.
    """

    file: str
    places: Places
    found: list[Mistake] = field(default_factory=list)

    def add(
        self,
        place: Place,
        what: str,
        *,
        given: object = None,
        valid: Iterable[object] | str | None = None,
        fix: str | None = None,
        of_key: bool = False,
    ) -> None:
        """Remember one.

        :param place: the member that it is about. :param of_key: whether the line is that of its name and not of its
            value. :param given, valid, fix: see :class:`~airflow_mlpipe.errors.MLPipeError`.
        """
        text = str(MLPipeError(what, given=given, valid=valid, fix=fix))
        line, column = self.places.line(place, of_key=of_key), self.places.column(place, of_key=of_key)
        self.found.append(Mistake(line=line, column=column, at=spelled(place), what=text))

    def take(self, place: Place, error: MLPipeError, *, of_key: bool = False) -> None:
        """Remember what a value's own check says of it."""
        self.add(place, error.what, given=error.given, valid=error.valid, fix=error.fix, of_key=of_key)

    def check(self) -> None:
        """:raises WrittenError: when there is any."""
        if self.found:
            raise WrittenError(self.file, self.found)


def spelled(place: Place) -> str:
    """A place as people write it: ``arguments[3]``, ``inputs.data.type``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")


def nearest(given: object, valid: Iterable[Any]) -> str | None:
    """What the author may have meant, as advice."""
    import difflib

    names = [str(one) for one in valid]
    found = difflib.get_close_matches(str(given), names, n=1, cutoff=0.5)
    return f"did you mean {found[0]!r}?" if found else None
