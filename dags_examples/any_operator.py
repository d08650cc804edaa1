"""Any operator of Airflow as a step: the same fingerprint, the same reuse, the same reasons.

The Bash commands are reused as long as neither the command (a template field) nor the inputs change.  Where something
that Airflow cannot see decides the result - here: which program ``wc`` is - raise ``version``.
"""

import pendulum
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import Param, dag

from airflow_mlpipe import reuse_unchanged


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1),
    tags=["mlpipe", "example"],
    params={"lines": Param(1000, type="integer", minimum=1)},
    doc_md=__doc__,
)
def any_operator():
    BashOperator(
        task_id="count",
        bash_command="seq {{ params.lines }} | wc -l",
        pre_execute=reuse_unchanged(version="1"),
    )


any_operator()
