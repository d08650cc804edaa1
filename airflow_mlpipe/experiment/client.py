"""A deployment as ML people see it: Experiment, whose ``submit`` starts a run of a DAG."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from airflow_mlpipe.experiment.api import AirflowApi, path
from airflow_mlpipe.experiment.credentials import Credentials
from airflow_mlpipe.experiment.errors import ApiError, UsageError
from airflow_mlpipe.experiment.import_errors import unknown_dag
from airflow_mlpipe.experiment.order import pipeline_order
from airflow_mlpipe.experiment.params import check_forced, check_names, merge_conf, parse_value, refresh_conf
from airflow_mlpipe.experiment.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """An Airflow deployment to start runs in.

    :param url: its address, as in the browser: ``http://host:8080``.
    :param token: a bearer token, or ``token_file``: a file that holds one.
    :param username: with ``password``, or ``password_file``: exchanged for a token at ``/auth/token``.
    :param patience: seconds to go on trying while the server does not answer.
    :raises UsageError: for an address or credentials that cannot be used.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    token_file: str | Path | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    password_file: str | Path | None = None
    patience: float = 30.0
    api: AirflowApi = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        credentials = Credentials(
            token=self.token,
            token_file=self.token_file,
            username=self.username,
            password=self.password,
            password_file=self.password_file,
        )
        object.__setattr__(self, "api", AirflowApi(self.url, credentials, patience=self.patience))

    def submit(
        self,
        dag_id: str,
        *,
        params: Mapping[str, Any] | None = None,
        refresh: str | Iterable[str] | None = None,
        conf: Mapping[str, Any] | None = None,
        unpause: bool = False,
    ) -> Run:
        """Start a run.

        Asking again after a lost answer does not start a second one: the run's id is chosen here.

        :param params: values of the DAG's parameters. :param conf: further members of the run's conf.
        :param refresh: ``"all"``, or step names; ``"train+"`` is ``train`` and every step after it.
        :param unpause: unpause the DAG if it is paused, which starts its schedule too.
        :raises UsageError: for an unknown DAG, parameter or step, or a paused DAG.
        :raises ApiError: when the API refuses (a value that the parameter's schema does not allow).
        """
        given = dict(params or {})
        details = self._details(dag_id)
        check_names(given, details.get("params") or {}, what="parameter", where=f"DAG {dag_id!r}")
        order = self._order(dag_id)
        body = merge_conf(dict(conf or {}), given, refresh_conf(refresh, order, where=f"DAG {dag_id!r}"))
        check_forced(body, order, where=f"DAG {dag_id!r}")
        if details.get("is_paused"):
            self._unpause(dag_id, allowed=unpause)
        return Run(api=self.api, dag_id=dag_id, run_id=self._trigger(dag_id, body), order=order)

    def attach(self, dag_id: str, run_id: str) -> Run:
        """A run that was started before.  :raises UsageError: when the deployment has no such run."""
        run = Run(api=self.api, dag_id=dag_id, run_id=run_id)
        try:
            run.get_status()
        except ApiError as error:
            if error.status != 404:
                raise
            raise UsageError("there is no such run", where=self.api.url, given=f"{dag_id}/{run_id}") from error
        return Run(api=self.api, dag_id=dag_id, run_id=run_id, order=self._order(dag_id))

    def parse_params(self, dag_id: str, texts: Mapping[str, str]) -> dict[str, Any]:
        """Values from text, typed as the DAG declares its parameters.

        :raises UsageError: for an unknown parameter, or a text that is no value of its type.
        """
        declared: Mapping[str, Any] = (self._details(dag_id).get("params") or {}) if texts else {}
        check_names(texts, declared, what="parameter", where=f"DAG {dag_id!r}")
        return {name: parse_value(name, text, declared[name] or {}) for name, text in texts.items()}

    def _details(self, dag_id: str) -> Mapping[str, Any]:
        try:
            return self.api.get(path("dags", dag_id, "details"))
        except ApiError as error:
            if error.status != 404:
                raise
            raise unknown_dag(self.api, dag_id) from error

    def _order(self, dag_id: str) -> tuple[str, ...]:
        tasks = self.api.get(path("dags", dag_id, "tasks")).get("tasks") or []
        return pipeline_order({t["task_id"]: t.get("downstream_task_ids") or () for t in tasks})

    def _unpause(self, dag_id: str, *, allowed: bool) -> None:
        if not allowed:
            raise UsageError(
                "the DAG is paused, so a run of it would not start",
                where=f"DAG {dag_id!r}",
                fix="say --unpause (it starts the DAG's schedule too), or unpause it in the UI",
            )
        self.api.patch(path("dags", dag_id), {"is_paused": False})

    def _trigger(self, dag_id: str, conf: Mapping[str, Any]) -> str:
        # "manual__" is Airflow's own prefix; a prefix of another kind of run would be refused.
        moment = datetime.now(timezone.utc).isoformat(timespec="seconds")
        run_id = f"manual__{moment}_{secrets.token_hex(4)}"
        try:
            self.api.post(
                path("dags", dag_id, "dagRuns"), {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf)}
            )
        except ApiError as error:
            # The id is random, so a conflict means that an earlier try, whose answer was lost, started the run.
            if error.status != 409:
                raise
        return run_id
