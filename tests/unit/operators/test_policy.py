"""The cluster policy that gives operators the reuse hook."""

from __future__ import annotations

import pytest
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

from airflow_mlpipe.errors import ConfigurationError
from airflow_mlpipe.operators.any_operator import ReuseHook
from airflow_mlpipe.policy import OPT_OUT, reuse_policy

BASH = "airflow.providers.standard.operators.bash.BashOperator"


def test_the_named_classes_get_the_hook_and_others_not():
    """By the dotted name of the class."""
    policy = reuse_policy(operators=[BASH], version="1")
    with DAG("d", schedule=None):
        bash, empty = BashOperator(task_id="a", bash_command="true"), EmptyOperator(task_id="b")
    for task in (bash, empty):
        policy(task)
    assert isinstance(bash._pre_execute_hook, ReuseHook)
    assert bash._pre_execute_hook.reuse.version == "1"
    assert empty._pre_execute_hook is None


def test_a_mapped_task_gets_it_for_its_instances():
    """Through the arguments that every instance is built with."""
    with DAG("d", schedule=None):
        mapped = BashOperator.partial(task_id="a").expand(bash_command=["true", "false"])
    reuse_policy(operators=[BASH])(mapped)
    assert isinstance(mapped.partial_kwargs["pre_execute"], ReuseHook)


def test_a_hook_of_the_authors_is_kept():
    """The policy does not replace what somebody wrote."""

    def own(context):
        pass

    with DAG("d", schedule=None):
        task = BashOperator(task_id="a", bash_command="true", pre_execute=own)
    reuse_policy(operators=[BASH])(task)
    assert task._pre_execute_hook is own


def test_a_dag_can_opt_out_by_a_tag():
    """`mlpipe:never` among its tags."""
    with DAG("d", schedule=None, tags=[OPT_OUT]):
        task = BashOperator(task_id="a", bash_command="true")
    reuse_policy(operators=[BASH])(task)
    assert task._pre_execute_hook is None


@pytest.mark.parametrize("operators", [[], BASH])
def test_a_policy_for_nothing_is_refused(operators):
    """An empty list, and a name that is no list."""
    with pytest.raises(ConfigurationError, match="operators is a list of dotted class names"):
        reuse_policy(operators=operators)
