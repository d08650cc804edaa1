FILES = {
    "modules/double/module.yaml": """
        api: mlpipe/module/v1
        name: double
        version: 1.0
        inputs:
          numbers: {type: table, optional: true}
        outputs:
          doubled: table.csv
          total: {type: metrics, filename: total.json}
        params:
          factor: {type: number, default: 2}
          label: {type: string, default: x}
        script: double.py
        arguments: ["--factor", "${params.factor}", "--label=${params.label}", [--numbers, "${inputs.numbers}"], --out, "${outputs.doubled}", --total, "${outputs.total}"]
        """,
    "modules/double/double.py": """
        import argparse, json, pathlib
        p = argparse.ArgumentParser()
        p.add_argument("--factor", type=float); p.add_argument("--label"); p.add_argument("--numbers", type=pathlib.Path)
        p.add_argument("--out", type=pathlib.Path); p.add_argument("--total", type=pathlib.Path)
        a = p.parse_args()
        numbers = [1.0, 2.0] if a.numbers is None else [float(x) for x in (a.numbers / "n.txt").read_text().split()]
        out = [n * a.factor for n in numbers]
        (a.out / "n.txt").write_text(" ".join(map(str, out)))
        a.total.write_text(json.dumps({"total": sum(out), "label": a.label}))
        print("doubled", out)
        """,
}
DAG = """
from airflow_mlpipe import ModuleStep, PipelineData, ScriptStep
with DAG("d", schedule=None, params={"factor": Param(3, type="number")}):
    first = PipelineData("first")
    ModuleStep(task_id="b", module="double>=1", inputs={"numbers": first}, params={"factor": 2})
    ModuleStep(task_id="a", module="double@1", outputs={"doubled": first}, params={"factor": "{{ params.factor }}"})
"""


def test_first(run_dag):
    run = run_dag(DAG, files=FILES)
    assert run.state == "success", run.log
    print(run["a"].log, run["b"].log, run["a"].xcoms)
    assert "doubled [6.0, 12.0]" in run["b"].log
    again = run_dag(DAG.replace('"d"', '"other"').replace('"{{ params.factor }}"', "3"))
    assert again.reused == ["a", "b"], again.log
