"""What this package costs inside Airflow, each figure as a ratio or difference against a reference of the same run.

    python benchmarks/bench_airflow.py [--quick]

- import: ``airflow_mlpipe`` with all its names, over ``airflow.sdk`` (CPU seconds of a fresh interpreter);
- parse: a DAG file of 200 ScriptSteps against the same of 200 BashOperators (CPU seconds in one process);
- execute: a ScriptStep that runs a script against a BashOperator that runs the same one (CPU seconds of ``dag.test()``,
  children included);
- decide: 500 unchanged steps, ``pre_execute`` without Airflow's own work around it (CPU seconds).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

SCRIPT = "import sys\nopen(sys.argv[1] + '/x', 'w').write('x')\nprint('done')\n"
HEAD = "import pendulum\nfrom airflow.sdk import DAG\n"


def cpu() -> float:
    """CPU seconds of this process and of the children that it has waited for."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def in_fresh_python(code: str, runs: int) -> float:
    """Median of the number that a program prints."""
    command = [sys.executable, "-W", "ignore", "-c", code]
    found = [subprocess.run(command, check=True, capture_output=True).stdout.split()[-1] for _ in range(runs)]
    return statistics.median(map(float, found))


def bench_import(runs: int) -> None:
    start = "import time; t = time.process_time()\n"
    base = "from airflow.sdk import DAG, BaseOperator, XComArg\n"
    sdk = in_fresh_python(f"{start}{base}print(time.process_time() - t)", runs)
    names = "from airflow_mlpipe import *\n"
    ours = in_fresh_python(f"{base}{start}{names}print(time.process_time() - t)", runs)
    print(
        f"import    airflow.sdk {sdk:.3f} s CPU; all names of airflow_mlpipe {ours * 1000:.0f} ms more  (bound 60 ms)"
    )


def dag_file(kind: str, steps: int) -> str:
    lines = [HEAD]
    if kind == "bash":
        lines.append("from airflow.providers.standard.operators.bash import BashOperator")
    else:
        lines.append("from airflow_mlpipe import PipelineData, ScriptStep")
    lines.append(f"with DAG('{kind}', schedule=None, params={{'lr': 0.1}}):\n    last = None")
    for i in range(steps):
        if kind == "bash":
            lines.append(f"    s = BashOperator(task_id='s{i}', bash_command='python a.py --lr {{{{ params.lr }}}}')")
            lines.append("    last is None or last >> s\n    last = s")
        else:
            lines.append(f"    o = PipelineData('o{i}')")
            lines.append(
                f"    ScriptStep(task_id='s{i}', source_directory='src', script_name='a.py', outputs=[o],\n"
                "               arguments=['--lr', '{{ params.lr }}', o, *([last] if last else [])])\n    last = o"
            )
    return "\n".join(lines) + "\n"


def bench_parse(folder: Path, steps: int, runs: int) -> None:
    code = """
        import gc, sys, time
        import airflow.sdk
        from airflow.providers.standard.operators.bash import BashOperator
        from airflow_mlpipe import ScriptStep, PipelineData
        from airflow.dag_processing.dagbag import DagBag
        from airflow.serialization.serialized_objects import DagSerialization
        DagBag(sys.argv[1])
        gc.collect()
        gc.freeze()  # as the DAG processor does before it forks the processes that parse
        t = time.process_time()
        bag = DagBag(sys.argv[1])
        assert not bag.import_errors, bag.import_errors
        parsed = time.process_time() - t
        t = time.process_time()
        for dag in bag.dags.values():
            DagSerialization.to_dict(dag)
        print(parsed, time.process_time() - t)
    """
    (folder / "src").mkdir(exist_ok=True)
    (folder / "src" / "a.py").write_text(SCRIPT)
    found: dict[str, list[tuple[float, float]]] = {"bash": [], "mlpipe": []}
    for _ in range(runs):
        for kind, times in found.items():
            path = folder / f"{kind}.py"
            path.write_text(dag_file(kind, steps))
            command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code), str(path)]
            words = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
            times.append((float(words[-2]), float(words[-1])))
    parse = {k: statistics.median(p for p, _ in v) for k, v in found.items()}
    serialise = {k: statistics.median(s for _, s in v) for k, v in found.items()}
    print(
        f"parse     {steps} steps: BashOperator {parse['bash']:.3f} s, ScriptStep {parse['mlpipe']:.3f} s CPU; "
        f"ratio {parse['mlpipe'] / parse['bash']:.2f}  (bound 1.3); "
        f"serialise ratio {serialise['mlpipe'] / serialise['bash']:.2f}"
    )


def set_up_airflow(home: Path, folder: Path) -> None:
    os.environ |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder),
        "AIRFLOW__MLPIPE__WORKSPACE": (home / "workspace").as_uri(),
        "AIRFLOW__API_AUTH__JWT_SECRET": "for-benchmarks-only-for-benchmarks-only-for-benchmarks",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
    }
    kind = "airflow.dag_processing.bundles.local.LocalDagBundle"
    bundle = {"name": "b", "classpath": kind, "kwargs": {"path": str(folder)}}
    os.environ["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"] = json.dumps([bundle])


def bench_execute(home: Path, folder: Path, steps: int, runs: int) -> None:
    """DAGs of independent tasks, so that what is not the task's own cost is shared."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.utils.db import initdb

    initdb()
    (folder / "src").mkdir(exist_ok=True)
    (folder / "src" / "a.py").write_text(SCRIPT)
    out = home / "out"
    out.mkdir()
    program = f"{sys.executable} {folder}/src/a.py {out}"
    bash = "".join(f"    BashOperator(task_id='s{i}', bash_command='{program}')\n" for i in range(steps))
    ours = "".join(
        f"    ScriptStep(task_id='s{i}', source_directory='src', script_name='a.py', arguments=[Output('o'), {i}],\n"
        f"               outputs=[PipelineData('o')], reuse=Reuse(policy='refresh'))\n"
        for i in range(steps)
    )
    operators = {
        "bash": ("from airflow.providers.standard.operators.bash import BashOperator", bash),
        "mlpipe": ("from airflow_mlpipe import Output, PipelineData, Reuse, ScriptStep", ours),
    }
    for name, (imports, tasks) in operators.items():
        (folder / f"{name}.py").write_text(f"{HEAD}{imports}\nwith DAG('{name}', schedule=None):\n{tasks}")
    spent: dict[str, list[float]] = {"bash": [], "mlpipe": []}
    for turn in range(runs + 1):
        for kind, times in spent.items():
            dag = DagBag(str(folder / f"{kind}.py"), bundle_path=folder, bundle_name="b").dags[kind]
            before = cpu()
            assert str(dag.test().state) == "success", kind
            if turn:  # the first turn warms up
                times.append((cpu() - before) / steps)
    bash_cpu, ours_cpu = (statistics.median(spent[k]) for k in ("bash", "mlpipe"))
    print(
        f"execute   a task of BashOperator {bash_cpu:.3f} s, of ScriptStep {ours_cpu:.3f} s CPU; "
        f"difference {ours_cpu - bash_cpu:+.3f} s  (bound 0.25 s)"
    )


def bench_decide(home: Path, folder: Path, steps: int) -> None:
    """Unchanged steps of one DAG, decided one after the other by the code that ``pre_execute`` runs."""
    import pendulum
    from airflow.sdk import DAG

    from airflow_mlpipe import DataReference, Datastore, PipelineData, ScriptStep
    from airflow_mlpipe.hooks.workspace import Stores
    from airflow_mlpipe.operators.plan import plan_dag

    source = folder / "many"
    source.mkdir()
    (source / "helper.py").write_text("def f(x):\n    return x\n" * 40)
    functions = "def g(x):\n    return helper.f(x)\n" * 100
    (source / "a.py").write_text(f"import helper, json, os, sys\n{functions}{SCRIPT}")
    (folder / "data.csv").write_text("a,b\n1,2\n" * 1000)
    dag = DAG("many", schedule=None, start_date=pendulum.datetime(2026, 1, 1), params={"lr": 0.1})
    dag.fileloc = str(folder / "many.py")
    (folder / "many.py").write_text("")
    raw = DataReference(Datastore("here", url=folder.as_uri()), "data.csv", name="raw")
    for i in range(steps):
        out = PipelineData("out")
        ScriptStep(
            dag=dag,
            task_id=f"s{i}",
            source_directory="many",
            script_name="a.py",
            arguments=[out, "--n", i, "--lr", "{{ params.lr }}", raw],
            outputs=[out],
        )
    stores = Stores()
    record_all(dag, stores)
    plan_dag(dag, stores=Stores())
    before, wall = cpu(), time.perf_counter()
    plan = plan_dag(dag, stores=Stores())
    spent, wall = cpu() - before, time.perf_counter() - wall
    assert {p.outcome for p in plan} == {"reuse"}, [p for p in plan if p.outcome != "reuse"][:3]
    print(
        f"decide    {steps} unchanged steps: {spent:.2f} s CPU, {wall:.2f} s wall; "
        f"{spent / steps * 1000:.2f} ms a step  "
        f"(bounds: 5 ms a step, 500 steps in 1 s)"
    )


def record_all(dag: object, stores: object) -> None:
    """Give every step of the DAG a recorded result, without running its program."""
    from airflow_mlpipe.model.records import Producer, ReuseRecord
    from airflow_mlpipe.operators import plan as planning

    inner = planning._Plan(dag, {}, stores)  # type: ignore[arg-type]
    for task in dag.tasks:  # type: ignore[attr-defined]
        who = Producer(dag_id="many", task_id=task.task_id, run_id="r")
        key = inner.fingerprinted(task, who).key
        assert key is not None
        workspace = stores.workspace  # type: ignore[attr-defined]
        workspace.keys.put(key.fingerprint, key.to_json())
        record = ReuseRecord(fingerprint=key.fingerprint, producer=who)
        workspace.records.publish(record)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="few runs, small sizes")
    quick = parser.parse_args().quick
    runs = 1 if quick else 5
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as name:
        home, folder = Path(name) / "home", Path(name) / "dags"
        folder.mkdir()
        home.mkdir()
        set_up_airflow(home, folder)
        bench_import(runs)
        bench_parse(folder, 50 if quick else 200, runs)
        bench_decide(home, folder, 100 if quick else 500)
        bench_execute(home, folder, 3 if quick else 10, 1 if quick else 3)


if __name__ == "__main__":
    main()
