"""Run: in the Python of a step, directory listings come in sorted order.

The order in which a file system lists a folder is its own affair (POSIX says: unspecified); a program that indexes
``os.listdir()`` gives one result on ext4 and another on a network mount.  The engine puts this file's folder on the
``PYTHONPATH`` of Python steps, so that ``os.listdir`` and ``os.scandir`` - and with them ``glob``, ``pathlib``,
``os.walk`` and ``shutil`` - list by name.  What the environment itself has as ``sitecustomize`` runs as well.

It runs at the start of the user's interpreter, of any version from 3.8: it imports only ``os`` and ``sys``, which are
there already.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_listdir, _scandir = os.listdir, os.scandir


class _ListDir:
    """``os.listdir``, sorted.  An object, not a function: Python 3.10's ``pathlib`` keeps it as a class attribute, and
    a function would turn into a method there.
    """

    def __call__(self, path: Any = None) -> list[Any]:
        return sorted(_listdir(path))


class _Entries:
    """What ``os.scandir`` returns: an iterator, a context manager, and it can be closed."""

    def __init__(self, entries: Any) -> None:
        with entries:
            self._entries = iter(sorted(entries, key=lambda entry: entry.name))

    def __iter__(self) -> _Entries:
        return self

    def __next__(self) -> Any:
        return next(self._entries)

    def __enter__(self) -> _Entries:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is open: all entries were read at the start."""
        self._entries = iter(())


class _ScanDir:
    """``os.scandir``, sorted by name."""

    def __call__(self, path: Any = None) -> _Entries:
        return _Entries(_scandir(path))


def _install() -> None:
    ours: Any
    for name, theirs, ours in (("listdir", _listdir, _ListDir()), ("scandir", _scandir, _ScanDir())):
        ours.__name__ = ours.__qualname__ = name
        ours.__doc__ = theirs.__doc__
        setattr(os, name, ours)
        if theirs in os.supports_fd:  # a set of the functions themselves
            os.supports_fd.add(ours)


def _chain() -> None:
    """Run the ``sitecustomize`` that this one hides."""
    here = os.path.dirname(os.path.abspath(__file__))
    for folder in sys.path:
        place = os.path.join(folder or os.curdir, "sitecustomize.py")
        if os.path.abspath(folder or os.curdir) != here and os.path.isfile(place):
            import importlib.util

            spec = importlib.util.spec_from_file_location("sitecustomize", place)
            assert spec is not None and spec.loader is not None  # noqa: PT018  (it is, for a file that ends in .py)
            module = importlib.util.module_from_spec(spec)
            sys.modules["sitecustomize"] = module
            spec.loader.exec_module(module)
            return


_install()
_chain()
