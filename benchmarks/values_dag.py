"""A DAG of two tasks in this process, which prints as JSON what the value between them costs; for ``bench_values.py``.

    python benchmarks/values_dag.py task|step FOLDER MIB

The DAG runs by ``dag.test()``: to warm up, and then in turn with a table of MIB that the first task makes and keeps,
returning a number, and with that table returned.  The difference is the value's: CPU seconds of this process and its
children, and by how much more memory this process had at most than making the table takes.  Libraries are imported in
all runs.  The backend is what ``AIRFLOW__CORE__XCOM_BACKEND`` says.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from values_once import MIB, memory

ROUNDS = 4
DECORATORS = {"task": "task", "step": "step(reuse=Reuse(policy='refresh'))"}
DAG = """
from __future__ import annotations
import pendulum
from airflow.sdk import dag, task
from airflow_mlpipe import Reuse, step


@{decorator}
def make(rows: int, returned: bool, seed: int):
    import numpy as np
    import pandas as pd
    import pyarrow
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({{f"c{{n}}": rng.standard_normal(rows) for n in range(10)}})
    return table if returned else len(table)


@{decorator}
def use(value) -> int:
    import pandas
    import pyarrow
    if not isinstance(value, int):
        value.sum()
        value.count()
    return 1


start = pendulum.datetime(2026, 1, 1)


@dag(schedule=None, start_date=start, params={{"returned": False, "seed": 0}}, render_template_as_native_obj=True)
def values():
    use(make({rows}, "{{{{ params.returned }}}}", "{{{{ params.seed }}}}"))


values()
"""


def cpu() -> float:
    """CPU seconds of this process and of its children that ended."""
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def main() -> None:
    """Measure one DAG."""
    kind, folder, size = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])
    file = folder / "values.py"
    file.write_text(DAG.format(decorator=DECORATORS[kind], rows=int(size * MIB) // 80))

    from airflow.dag_processing.dagbag import DagBag
    from airflow.utils.db import initdb

    initdb()
    costs: dict[bool, list[tuple[float, int]]] = {False: [], True: []}
    for turn in range(-1, 2 * ROUNDS):
        returned = bool(turn % 2) and turn > 0
        dag = DagBag(str(file), bundle_path=folder, bundle_name="b").dags["values"]
        Path("/proc/self/clear_refs").write_text("5")
        before = cpu()
        state = str(dag.test(run_conf={"returned": returned, "seed": turn + 1}).state)
        assert state == "success", state
        if turn >= 0:
            costs[returned].append((cpu() - before, memory("VmHWM")))
    (without, low), (passed, high) = ([min(c[part] for c in costs[side]) for part in (0, 1)] for side in (False, True))
    print(json.dumps({"cpu": passed - without, "memory": high - low}))


if __name__ == "__main__":
    main()
