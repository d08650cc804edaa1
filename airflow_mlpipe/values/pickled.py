"""Pickle: the author's word that a value may be pickled, and the deployment's that pickles are written and read.

A pickle is code: who reads one executes what its writer put in.  So it takes both words, and nothing in a value, a
reference or a file can stand for the second: the host tells the step's process in its call.
"""

from __future__ import annotations

from typing import Any

from airflow_mlpipe.errors import ConfigurationError

FORMAT = "pickle/1"
OPTION = "[mlpipe] allow_pickle"


class Pickle:
    """``return Pickle(model)``: save a value that no materializer knows; who takes it gets the value itself.

    Works where the deployment says ``[mlpipe] allow_pickle = True``.  Equal values need not give equal bytes.

    :param value: what ``pickle`` can write; its classes must be importable where it is read.
    """

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def check_allowed(allowed: bool, doing: str, *, where: str) -> None:
    """Let a pickle pass only where the deployment allows pickles.

    :param doing: ``written`` or ``read``. :raises ConfigurationError: elsewhere, with the ways out.
    """
    if not allowed:
        raise ConfigurationError(
            f"pickles are not {doing} in this deployment, because reading one executes whatever it holds",
            where=where,
            fix="return a supported type, convert the value to one, write a file and return its Path, or install a "
            f"distribution with a materializer of it; or set {OPTION} = True, if you trust whoever can write values",
        )
