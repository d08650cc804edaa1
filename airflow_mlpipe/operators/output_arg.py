"""The edge itself: an output of a step as another step's input, resolved by Airflow when the task is rendered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk.definitions.xcom_arg import PlainXComArg

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
