"""The edge itself: an output of a step as another step's input, resolved by Airflow when the task is rendered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from airflow.sdk.definitions.xcom_arg import PlainXComArg

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model.reference import absent

_ALL_SUCCEEDED = ("all_success", "all_done_setup_success")


class OutputArg(PlainXComArg):
    """An XComArg that is absent when its step was skipped or failed and the consumer's trigger rule lets it run anyway.

    With a rule that wants every upstream step to have succeeded, a missing value is an error: somebody deleted it.
    """

    def resolve(self, context: Mapping[str, Any]) -> Any:
        """The reference, or several of a mapped step.

        :raises XComNotFound: Airflow's, when it must be there and is not.
        """
        from airflow.sdk.exceptions import XComNotFound

        try:
            return super().resolve(context)
        except XComNotFound:
            if context["task"].trigger_rule in _ALL_SUCCEEDED:
                raise
            return absent(self.key)


class OutputArgs(dict[str, OutputArg]):
    """The outputs of a step, or of a group of steps, by name: ``step.outputs["model"]``.

    :param where: whose they are. :raises DefinitionError: at a name that is none of them.
    """

    def __init__(self, outputs: Mapping[str, OutputArg], *, where: str) -> None:
        super().__init__(outputs)
        self._where = where

    @classmethod
    def of(cls, step: Any, keys: Mapping[str, str]) -> OutputArgs:
        """Those of a step, by name, given the key in XCom of each."""
        return cls({name: OutputArg(step, key=key) for name, key in keys.items()}, where=f"step {step.task_id!r}")

    def __missing__(self, name: str) -> NoReturn:
        raise DefinitionError("no output of this name", where=self._where, given=name, valid=sorted(self))
