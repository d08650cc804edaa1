"""Stdout belongs to the result alone: what logs, and DAG files that print, write meanwhile goes to stderr."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TextIO

_OUT: ContextVar[TextIO | None] = ContextVar("mlpipe_out", default=None)


def out() -> TextIO:
    """Where a command's result goes."""
    return _OUT.get() or sys.stdout


@contextlib.contextmanager
def own_stdout() -> Iterator[None]:
    """Keep stdout for :func:`out`; everybody else's writes to it go to stderr.

    By file descriptor, because loggers keep the stream that they first saw, and a DAG file may start programs.
    """
    stream = sys.stdout
    try:
        replaced = stream.fileno() != 1
    except (OSError, AttributeError):  # a caller's own stream, which may be no file
        replaced = True
    if replaced:
        with contextlib.redirect_stdout(sys.stderr), _output(stream):
            yield
        return
    stream.flush()
    with os.fdopen(os.dup(1), "w", encoding=stream.encoding, errors=stream.errors) as own:
        os.dup2(2, 1)
        try:
            with _output(own):
                yield
        finally:
            stream.flush()
            os.dup2(own.fileno(), 1)


@contextlib.contextmanager
def _output(stream: TextIO) -> Iterator[None]:
    token = _OUT.set(stream)
    try:
        yield
        stream.flush()
    finally:
        _OUT.reset(token)
