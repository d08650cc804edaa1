"""The members of a file, one after the other: each gives a value, or a mistake and something to go on with."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from airflow_mlpipe.errors import MLPipeError
from airflow_mlpipe.model.data import check_relative
from airflow_mlpipe.written.places import Place, Written

T = TypeVar("T")


class Members:
    """Reads values of a file.

    :ivar mistakes: those that were found so far.
    """

    def __init__(self, written: Written) -> None:
        self.written = written
        self.mistakes = written.mistakes()

    def known(self, place: Place, given: Mapping[str, Any], members: tuple[str, ...]) -> None:
        """Members that nobody reads are mistakes."""
        for name in given:
            if name not in members:
                close = difflib.get_close_matches(name, members, 1)
                if given[name] is None and " " in name:
                    fix = "quote the text before it: between { and } a comma ends a text"
                    self.mistakes.add((*place, name), "unknown member", fix=fix, of_key=True)
                elif close:
                    self.mistakes.add((*place, name), "unknown member", fix=f"write {close[0]}", of_key=True)
                else:
                    self.mistakes.add((*place, name), "unknown member", valid=members, of_key=True)

    def take(self, place: Place, value: Any, check: Callable[[Any], T], default: T, *, of_key: bool = False) -> T:
        """What a check makes of a value; ``default`` where it refuses it."""
        try:
            return check(value)
        except MLPipeError as error:
            self.mistakes.add(place, error.what, given=error.given, valid=error.valid, fix=error.fix, of_key=of_key)
        except TypeError as error:
            self.mistakes.add(place, f"not valid ({error})", given=value, of_key=of_key)
        return default

    def mapping(self, place: Place, value: Any) -> Mapping[str, Any]:
        """A mapping; empty where nothing is written."""
        if value is None or isinstance(value, Mapping):
            return value or {}
        self.mistakes.add(place, "a mapping of names", given=value)
        return {}

    def text(self, place: Place, value: Any) -> str:
        """A text, without spaces around it."""
        if not isinstance(value, str):
            self.mistakes.add(place, "a text", given=value)
            return ""
        return value.strip()

    def texts(self, place: Place, value: Any) -> tuple[str, ...]:
        """A list of texts."""
        if not isinstance(value, list):
            self.mistakes.add(place, "a list of texts", given=value)
            return ()
        return tuple(self.text((*place, index), one) for index, one in enumerate(value))

    def flag(self, place: Place, value: Any) -> bool:
        """True or false."""
        if not isinstance(value, bool):
            self.mistakes.add(place, "true or false", given=value)
        return bool(value)

    def relative(self, place: Place, value: Any) -> str:
        """A path below the folder of the file."""
        text = self.text(place, value)
        return self.take(place, text, lambda v: check_relative(v, where=text), "")
