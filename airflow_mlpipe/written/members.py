"""Members of a mapping, each taken by its name and type; a wrong one is a mistake and reads as not there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from datetime import timedelta
from typing import Any, TypeVar

from airflow_mlpipe.errors import MLPipeError
from airflow_mlpipe.model.data import check_relative
from airflow_mlpipe.model.names import check_port
from airflow_mlpipe.written.durations import parse_duration
from airflow_mlpipe.written.mistakes import Mistakes, nearest
from airflow_mlpipe.written.places import Place

T = TypeVar("T")


class Members:
    """The members of one mapping.

    :param value: what the file has there. :param what: for messages, like ``"a step"``.
    :param known: the names that it may have; any other one is a mistake.
    """

    def __init__(
        self, value: Any, place: Place, mistakes: Mistakes, *, what: str, known: Collection[str] | None = None
    ) -> None:
        self.place, self.mistakes, self._what = place, mistakes, what
        self.value: Mapping[str, Any] = value if isinstance(value, Mapping) else {}
        if not isinstance(value, Mapping):
            mistakes.add(place, f"{what} is a mapping of names to values", given=value)
        for name in self.value:
            if known is not None and name not in known:
                self._unknown(name, known)

    def _unknown(self, name: str, known: Collection[str]) -> None:
        advice = nearest(name, known)
        if " " in name and self.value[name] is None:
            advice = "quote the text before it: between { and } a comma ends a text"
        valid = None if advice else known
        self.mistakes.add(self.at(name), f"{self._what} has no such member", valid=valid, fix=advice, of_key=True)

    def __contains__(self, name: object) -> bool:
        return name in self.value

    def at(self, name: str) -> Place:
        """Where a member is."""
        return (*self.place, name)

    def raw(self, name: str, default: Any = None) -> Any:
        """As it is."""
        return self.value.get(name, default)

    def wrong(self, name: str, what: str, **parts: Any) -> None:
        """Say that a member is wrong."""
        self.mistakes.add(self.at(name), what, **{"given": self.raw(name), **parts})

    def text(self, name: str) -> str | None:
        """A text; a number that is not quoted is the text that stands there: ``3.10`` is not 3.1."""
        value = self.raw(name)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return self.mistakes.places.texts.get(self.at(name), str(value))
        self.wrong(name, "this is text", fix="quote it" if isinstance(value, bool) else None)
        return None

    def stripped(self, name: str) -> str:
        """A text without spaces around it; empty where there is none."""
        return (self.text(name) or "").strip()

    def relative(self, name: str) -> str | None:
        """A path below the folder of the file, in its normal form; empty for that folder itself."""
        text = self.text(name)
        return None if text is None else self.made(self.at(name), lambda: check_relative(text.strip(), where=name))

    def boolean(self, name: str) -> bool | None:
        """``true`` or ``false``."""
        return self._typed(name, bool, "true or false")

    def integer(self, name: str) -> int | None:
        """A whole number."""
        value = self.raw(name)
        if isinstance(value, bool):
            self.wrong(name, "this is a whole number")
            return None
        return self._typed(name, int, "a whole number")

    def number(self, name: str) -> float | None:
        """A number."""
        value = self.raw(name)
        if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
            return value
        self.wrong(name, "this is a number")
        return None

    def duration(self, name: str) -> timedelta | None:
        """A time."""
        value = self.raw(name)
        if value is None:
            return None
        found = parse_duration(value)
        if found is None:
            self.wrong(name, "this is a time", valid="like 90s, 5m or 1h30m")
        return found

    def _typed(self, name: str, kind: type[T], what: str) -> T | None:
        value = self.raw(name)
        if value is None or isinstance(value, kind):
            return value
        self.wrong(name, f"this is {what}")
        return None

    def sequence(self, name: str) -> tuple[Any, ...]:
        """A list."""
        value = self.raw(name)
        if value is None:
            return ()
        if isinstance(value, list):
            return tuple(value)
        self.wrong(name, "this is a list")
        return ()

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        found = self.sequence(name)
        for index, one in enumerate(found):
            if not isinstance(one, str):
                self.mistakes.add((*self.at(name), index), "this is text", given=one, fix="quote it")
        return tuple(one for one in found if isinstance(one, str))

    def choice(self, name: str, valid: Collection[str]) -> str | None:
        """One of several texts."""
        value = self.text(name)
        if value is None or value in valid:
            return value
        self.wrong(name, "not one of these", valid=valid, fix=nearest(value, valid))
        return None

    def mapping(self, name: str) -> Mapping[str, Any]:
        """A mapping, whatever is in it."""
        value = self.raw(name)
        if value is None:
            return {}
        if isinstance(value, Mapping):
            return value
        self.wrong(name, "this is a mapping of names to values")
        return {}

    def take(self, name: str, check: Callable[[Any], T]) -> T | None:
        """What a check makes of a member, of whichever type that is; it gets ``None`` where there is none."""
        value = self.raw(name)
        try:
            return self.made(self.at(name), lambda: check(value))
        except TypeError as error:
            self.wrong(name, f"not valid ({error})")
            return None

    def made(self, place: Place, make: Callable[[], T]) -> T | None:
        """A value of ours; what its own check says is a mistake there."""
        return made(place, self.mistakes, make)


def made(place: Place, mistakes: Mistakes, make: Callable[[], T], *, of_key: bool = False) -> T | None:
    """What ``make`` gives; what it raises is a mistake at a place.  :param of_key: at the name of a member there."""
    try:
        return make()
    except MLPipeError as error:
        mistakes.take(place, error, of_key=of_key)
        return None


def check_name(name: str, place: Place, mistakes: Mistakes, *, of_key: bool = False) -> bool:
    """Whether a name can be one of a port, a parameter or of data; if not, that is a mistake."""
    return made(place, mistakes, lambda: check_port(name, where=""), of_key=of_key) is not None


def names_of(record: type) -> tuple[str, ...]:
    """The members that a record has."""
    return tuple(one.name for one in fields(record))
