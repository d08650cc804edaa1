"""What of a v1 script has no meaning here is said, once for each line of the script, and never dropped in silence."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Mapping

from airflow_mlpipe.azureml.where import outside

_NOTHING: tuple[object, ...] = (None, False, (), [], {}, "")


class AzureMLWarning(UserWarning):
    """Something that the SDK v1 did is not done here."""


def warn(text: str) -> None:
    """Warn at the line of the script that called; the same text at the same line is shown once."""
    frame = outside(sys._getframe())
    if frame is None:
        warnings.warn(text, AzureMLWarning, stacklevel=2)
        return
    registry = frame.f_globals.setdefault("__warningregistry__", {})
    warnings.warn_explicit(text, AzureMLWarning, frame.f_code.co_filename, frame.f_lineno, registry=registry)


def ignored(where: str, given: Mapping[str, object], *, why: str, unless: Iterable[object] = _NOTHING) -> None:
    """Warn of arguments that have no meaning here; those that were left at ``unless`` were not said.

    :param where: whose arguments. :param given: by name. :param why: what is so instead.
    """
    unless = tuple(unless)
    names = [name for name, value in given.items() if not any(value is u or value == u for u in unless)]
    if names:
        warn(f"{where}: {', '.join(names)} {'has' if len(names) == 1 else 'have'} no meaning here: {why}")
