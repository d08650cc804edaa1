"""The executor: Airflow's interface on one side, a :class:`Fleet` of containers on the other.

Each task runs in a container of its own, by Airflow's own command for that (``airflow.sdk.execution_time.
execute_workload``): the supervisor in the container takes the task's state to the API server, with heartbeats, and ends
a task that was marked.  What is left to the executor is whether the container could be launched, and how it ended.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.executors.base_executor import BaseExecutor

from airflow_mlpipe.errors import ContainerEngineError
from airflow_mlpipe.executors import spec
from airflow_mlpipe.executors.config import read_config
from airflow_mlpipe.executors.engine import Engine
from airflow_mlpipe.executors.fleet import Event, Fleet, Order
from airflow_mlpipe.executors.logs import TaskLogs
from airflow_mlpipe.executors.options import Options, read_options

if TYPE_CHECKING:
    from airflow.executors.workloads import ExecuteTask, ExecutorWorkload
    from airflow.models.taskinstance import TaskInstance


class DockerExecutor(BaseExecutor):
    """Runs each task in a container of a local or a remote Docker engine.

    Configured by the section ``[mlpipe_docker]``; what a task may ask for is :class:`DockerConfig`.  Use it beside
    others: ``[core] executor = LocalExecutor,airflow_mlpipe.executors.DockerExecutor``, and on the tasks that need it
    ``executor="DockerExecutor"``.

    A scheduler that ends, or dies, leaves the containers running; the next one adopts them.  Neither a task that asks
    for something impossible nor an engine that does not answer stops the scheduler: the task fails, and its log says
    why.

    Limits: no callbacks (deadline alerts) and no tests of connections, which another executor must take; no teams.
    """

    _fleet: Fleet | None = None
    _options: Options | None = None

    def start(self) -> None:
        """Read the options.  Nothing asks the engine yet.

        :raises ConfigurationError: for a wrong option, or without the Docker SDK.
        """
        options = read_options()
        Engine(options).check()
        self.parallelism = options.slots or self.parallelism
        self._options, self._fleet = options, Fleet(options, self._logs())
        self.log.info("Tasks run on the Docker engine at %s, deployment %s", options.engine, options.deployment)

    def sync(self) -> None:
        """Tell what happened to the containers.  Called in each loop of the scheduler; does not wait."""
        for key in self._started.keys() - self.running:
            # Airflow took it from us: it had no heartbeat for too long.  What still runs must not go on.
            self._started.cancel(key)
        for event in self._started.poll():
            self._tell(event)

    def try_adopt_task_instances(self, tis: Sequence[TaskInstance]) -> Sequence[TaskInstance]:
        """Follow the containers of task instances whose scheduler is gone.  Returns those that have none."""
        by_id = {str(ti.id): ti for ti in tis}
        try:
            found = self._started.find(by_id)
        except ContainerEngineError as error:
            self.log.error("No task instance can be adopted: %s", error)
            found = {}
        for task_instance, seen in found.items():
            key = by_id[task_instance].key
            if key not in self.running:  # Airflow calls again when its database was busy
                self.running.add(key)
                self._started.follow(key, seen)
                self.log.info("Adopted %s in container %s (%s)", key, seen.id[:12], seen.state)
        return [ti for ti in tis if str(ti.id) not in found]

    def revoke_task(self, *, ti: TaskInstance) -> None:
        """End the container of a task instance, and forget it.  Says nothing of its state."""
        self.queued_tasks.pop(ti.key, None)
        self.running.discard(ti.key)
        self._started.cancel(ti.key)

    def get_task_log(self, ti: TaskInstance, try_number: int) -> tuple[list[str], list[str]]:
        """What the container of a running task has printed, while its log is nowhere else.

        Called in the API server, where the executor is not started.
        """
        try:
            with closing(Fleet(read_options(), self._logs())) as fleet:
                found = fleet.output(str(ti.id))
        except Exception as error:  # noqa: BLE001 - the reader of a log is told, whatever it is
            return [f"The output of the task's container cannot be read: {error}"], []
        return ([f"Output of container {found[0][:12]}"], [found[1]]) if found else ([], [])

    def end(self) -> None:
        """Let the containers run: the next scheduler adopts them."""
        if self._fleet is not None:
            self._fleet.close()

    def terminate(self) -> None:
        """Nothing: see :meth:`end`."""

    def _process_workloads(self, workload_items: Sequence[ExecutorWorkload]) -> None:
        for workload in workload_items:
            if workload.type != "ExecuteTask":  # the queues of the others are refused by the base class
                continue
            del self.queued_tasks[workload.ti.key]
            self.running.add(workload.ti.key)
            self._launch(workload)

    def _launch(self, workload: ExecuteTask) -> None:
        fleet, options = self._started, self._options
        assert options is not None
        log_path = workload.log_path or ""
        task = spec.Task(
            id=str(workload.ti.id),
            dag_id=workload.ti.dag_id,
            task_id=workload.ti.task_id,
            run_id=workload.ti.run_id,
            map_index=workload.ti.map_index,
            try_number=workload.ti.try_number,
            log_path=log_path,
            log_size=self._logs().size(log_path),
        )

        def make() -> Order:
            config = read_config(workload.ti.executor_config)
            return Order(
                name=spec.container_name(task, secrets.token_hex(4)),
                document=spec.container_document(task, config, options),
                workload=workload.model_dump_json().encode(),
            )

        fleet.launch(workload.ti.key, task.id, log_path, make)

    def _tell(self, event: Event) -> None:
        key: Any = event.key
        if not event.ended:
            self.running_state(key, event.container)
        elif event.failure is None:
            self.success(key)
        else:
            self.log.error("%s: %s", key, event.failure)
            self.fail(key, event.failure)  # with its reason, which the scheduler puts into the task's audit log

    @property
    def _started(self) -> Fleet:
        if self._fleet is None:
            raise RuntimeError("the executor was not started")
        return self._fleet

    def _logs(self) -> TaskLogs:
        return TaskLogs(Path(self.conf.get_mandatory_value("logging", "base_log_folder")))
