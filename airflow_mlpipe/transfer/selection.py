"""Which files of a source take part: ``include`` and ``exclude``, in the syntax of gitignore, on relative paths."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_mlpipe.fingerprint.ignore import compile_patterns


class Selection:
    """A filter.  A file goes if a pattern of ``include`` matches it, or there is none, and none of ``exclude`` does.

    As in gitignore, ``*.csv`` matches in every folder, ``/a.csv`` at the top only, ``raw/*.csv`` below the top's
    ``raw``, and a pattern that matches a folder (``tmp/``) all that is in it.
    """

    def __init__(self, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> None:
        self._include = compile_patterns(tuple(include), where="include") if include else None
        self._exclude = compile_patterns(tuple(exclude), where="exclude") if exclude else None

    def takes(self, path: str) -> bool:
        """Whether a file takes part.  :param path: relative to the root of the source or the destination."""
        if self._include is not None and not self._include.match_file(path):
            return False
        return self._exclude is None or not self._exclude.match_file(path)
