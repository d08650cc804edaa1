"""Which tests of the conformance suite of computes a second variant of one compute runs."""

from __future__ import annotations

from airflow_mlpipe.testing.compute_contract import ComputeContract as Contract

OF_USERS = frozenset(
    test.__name__
    for test in (
        Contract.test_what_a_program_writes_is_published,
        Contract.test_inputs_are_there_and_cannot_be_changed,
        Contract.test_checkpoints_survive_a_failed_attempt,
        Contract.test_cancel_ends_the_program,
        Contract.test_large_arguments_and_parameters_arrive,
        Contract.test_results_and_metrics_come_back,
        Contract.test_a_secret_is_in_its_file_and_nowhere_else,
        Contract.test_code_runs_with_its_modules,
        Contract.test_what_a_dead_worker_left_is_gone_on_with,
    )
)
"""Those to which it matters whose files are whose, and which of them can be written to."""
