"""Functions as steps, on a real Airflow: values move by type, and only what changed executes."""

from __future__ import annotations

import json

import pytest

FILE = "pipeline.py"

TABLES = """
    from __future__ import annotations
    import pendulum
    from airflow.sdk import Param, dag, task
    from typing import TYPE_CHECKING
    from pathlib import Path
    from airflow_mlpipe import Outputs, step, load, ScriptStep, PipelineData
    if TYPE_CHECKING:
        import numpy as np
        import pandas as pd
        import polars as pl

    FACTOR = 2

    def scaled(value):
        return value * FACTOR

    @step
    def numbers(count: int = 4) -> pd.DataFrame:
        return pd.DataFrame({"x": range(count)})

    @step
    def total(table: pl.LazyFrame, rate: float) -> Outputs(sum=float, squares=np.ndarray):
        assert isinstance(table, pl.LazyFrame), type(table)
        x = table.collect()["x"].to_numpy()
        return Outputs(sum=float(scaled(x.sum()) * rate), squares=x ** 2)

    @step
    def described(squares: np.ndarray, sum: float) -> dict:
        return {"max": int(squares.max()), "sum": sum}

    @task
    def ordinary(table):
        return [type(table).__module__.split(".")[0], len(table)]

    @dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1), params={"rate": Param(0.5, type="number")})
    def tables():
        table = numbers()
        found = total(table, rate="{{ params.rate }}")
        described(found.squares, found.sum)
        ordinary(table)

    tables()
"""


def test_values_move_between_functions_in_the_forms_that_they_ask_for(run_dag):
    """A pandas frame becomes a LazyFrame, an array and a number, and an ordinary task gets the frame itself."""
    run = run_dag(files={FILE: TABLES})
    assert run.states == dict.fromkeys(["numbers", "total", "described", "ordinary"], "success"), run.log
    assert run["described"].xcoms["return_value"] == {"max": 9, "sum": 6.0}
    assert run["ordinary"].xcoms["return_value"] == ["pandas", 4]
    assert run["total"].xcoms["sum"] == 6.0
    assert run["total"].xcoms["squares"]["type"] == "numpy.ndarray"


def test_an_unchanged_function_is_reused_and_a_changed_parameter_executes_what_uses_it(run_dag):
    """The second run executes nothing; another rate executes `total` and what depends on its number."""
    run_dag(files={FILE: TABLES})
    assert run_dag(files={FILE: TABLES}).executed == []
    assert run_dag(conf={"rate": 2.0}).executed == ["described", "total"]
    moved = TABLES.replace("    FACTOR = 2", "    UNRELATED = 1\n\n    FACTOR = 2")
    assert run_dag(files={FILE: moved}).executed == []
    other = run_dag(files={FILE: TABLES.replace("FACTOR = 2", "FACTOR = 3")})
    assert other.executed == ["described", "total"]
    assert other["total"].reasons == ["CODE FACTOR changed"]


def test_an_equal_table_of_a_changed_function_keeps_its_consumers(run_dag):
    """Early cut-off: `numbers` is rewritten, its frame has the same bytes, nothing after it executes."""
    run_dag(files={FILE: TABLES})
    again = run_dag(files={FILE: TABLES.replace('{"x": range(count)}', '{"x": [i for i in range(count)]}')})
    assert again.executed == ["numbers"]


def test_rows_of_xcom_stay_small(run_dag):
    """No row is longer than 4 KiB, whatever was returned."""
    run = run_dag(files={FILE: TABLES.replace("count: int = 4", "count: int = 100_000")})

    for task in run.tasks.values():
        for key, value in task.xcoms.items():
            assert len(json.dumps(value)) < 4096, (task.task_id, key)


MAPPED = """
    from airflow_mlpipe import step

    @step
    def power(base: int, exponent: int) -> int:
        return base ** exponent

    @step
    def summed(values: list) -> int:
        return sum(values)

    @dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1))
    def mapped():
        @step
        def bases() -> list:
            return [1, 2, 3]

        summed(power.partial(exponent=2).expand(base=bases()))

    mapped()
"""


def test_a_function_is_mapped_over_a_list_and_gathered(run_dag):
    """`expand` takes a step's list, and a step takes all instances' results as a list."""
    run = run_dag(MAPPED)
    assert run["summed"].xcoms["return_value"] == 14, run.log
    assert run_dag(MAPPED).executed == []


def test_paths_and_files_move_both_ways_between_functions_and_scripts(run_dag):
    """A function returns a file, a script reads it, and a function reads the script's."""
    run = run_dag(
        """
        from pathlib import Path
        from airflow_mlpipe import PipelineData, ScriptStep, step

        @step
        def write() -> Path:
            path = Path("words.txt")
            path.write_text("a b c")
            return path

        @step
        def read(upper: Path) -> str:
            return upper.read_text()

        with DAG("both", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
            upper = PipelineData("upper", kind="file", filename="upper.txt")
            ScriptStep(task_id="upper", script_name="upper.py", source_directory="code",
                       arguments=[write(), upper], inputs=None, outputs=[upper])
            read(upper)
        """,
        files={"code/upper.py": "import sys\nopen(sys.argv[2], 'w').write(open(sys.argv[1]).read().upper())\n"},
    )
    assert run["read"].xcoms["return_value"] == "A B C", run.log


def test_a_value_that_cannot_travel_is_an_error_that_names_it_and_the_ways_out(run_dag):
    """The task fails for good; the message names the type and the place."""
    run = run_dag(
        """
        from airflow_mlpipe import step

        class Odd:
            pass

        @step(retries=2)
        def odd():
            return {"a": [1, Odd()]}

        with DAG("odd", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
            odd()
        """
    )
    assert run.states == {"odd": "failed"}
    assert "Odd" in run["odd"].log
    assert "['a'][1]" in run["odd"].log


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("numbers(1, 2)", "cannot be called so"),
        ("numbers(cuont=1)", "cannot be called so"),
        ("numbers(object())", "object"),
    ],
)
def test_a_wrong_call_is_an_error_at_parse(run_dag, call, words):
    """It names the step and what the function takes."""
    run_dag.write({FILE: TABLES.replace("table = numbers()", f"table = {call}")})
    with pytest.raises(AssertionError, match=words):
        run_dag.parse()


def test_the_decorator_is_also_task_step(run_dag):
    """The provider registers it."""
    run = run_dag(
        """
        with DAG("registered", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
            @task.step
            def three() -> int:
                return 3
            three()
        """
    )
    assert run["three"].xcoms["return_value"] == 3
    assert run["three"].decision == "executed"


def test_an_annotation_that_names_nothing_is_told_in_the_log(run_dag):
    """The value comes in its usual form, and the author sees the misspelling."""
    run = run_dag(
        """
        import pathlib

        with DAG("misspelt", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
            @task.step
            def two(n: "pathlib.Pth") -> int:
                return n
            two(2)
        """
    )
    assert run["two"].xcoms["return_value"] == 2
    assert "the annotation of 'n' is not understood: pathlib.Pth (AttributeError" in run["two"].log


OVER_COMPOSITES = """
    from __future__ import annotations
    import pendulum
    from dataclasses import dataclass
    from datetime import date
    from airflow.sdk import dag, task
    from airflow_mlpipe import step
    import pandas as pd

    @dataclass
    class Fold:
        name: str
        rows: pd.DataFrame

    @step
    def frames():
        return [pd.DataFrame({"x": range(n)}) for n in (3, 4, 5)]

    @step
    def folds():
        return [Fold("a", pd.DataFrame({"x": [1]})), Fold("b", pd.DataFrame({"x": [2]}))]

    @step
    def by_name():
        return {"one": pd.DataFrame({"x": [1]}), "two": pd.DataFrame({"x": [2, 2]})}

    @step
    def calls():
        return [{"rows": pd.DataFrame({"x": [1, 2]}), "factor": 10}, {"rows": pd.DataFrame({"x": [3]}), "factor": 1}]

    @step
    def days():
        return [date(2026, 1, 1), date(2026, 1, 2)]

    @step
    def long():
        return ["x" * 500 + str(i) for i in range(12)]

    @step
    def rows_of(frame: pd.DataFrame) -> int:
        return len(frame)

    @step
    def of_fold(fold: Fold) -> str:
        return fold.name + str(fold.rows["x"].sum())

    @step
    def of_pair(pair) -> list:
        return [pair[0], len(pair[1])]

    @step
    def scaled(rows: pd.DataFrame, factor: int) -> int:
        return int(rows["x"].sum()) * factor

    @step
    def weekday(day: date) -> int:
        return day.isoweekday()

    @step
    def last(text: str) -> str:
        return text.lstrip("x")

    @task
    def ordinary(frame):
        return type(frame).__name__ + str(len(frame))

    @step
    def doubled(frame: pd.DataFrame):
        return frame * 2

    @step
    def gathered(values) -> list:
        assert type(values).__name__ == "LazySequence", values
        return [int(one["x"].sum()) for one in (*values[1:], values[0])]

    @dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1))
    def composites():
        made = frames()
        rows_of.expand(frame=made)
        gathered(doubled.expand(frame=made))
        ordinary.expand(frame=made)
        of_fold.expand(fold=folds())
        of_pair.expand(pair=by_name())
        scaled.expand_kwargs(calls())
        weekday.expand(day=days())
        last.expand(text=long())

    composites()
"""


def test_a_task_is_mapped_over_a_value_that_xcom_only_refers_to(run_dag):
    """Lists of frames, of dataclasses and dicts with frames, of dates, of long text; dicts by pair."""
    run = run_dag(files={FILE: OVER_COMPOSITES})
    assert set(run.states.values()) == {"success"}, run.log

    def results(task):
        return [one.xcoms["return_value"] for one in run.instances(task)]

    assert results("rows_of") == [3, 4, 5]
    assert run["gathered"].xcoms["return_value"] == [12, 20, 6]
    assert results("ordinary") == ["DataFrame3", "DataFrame4", "DataFrame5"]
    assert results("of_fold") == ["a1", "b2"]
    assert results("of_pair") == [["one", 1], ["two", 2]]
    assert results("scaled") == [30, 3]
    assert results("weekday") == [4, 5]
    assert results("last")[-1] == "11"


def test_each_instance_depends_on_its_own_member(run_dag):
    """The second run executes nothing; with one frame of another length one instance executes."""
    run_dag(files={FILE: OVER_COMPOSITES})
    assert run_dag(files={FILE: OVER_COMPOSITES}).executed == []
    changed = run_dag(files={FILE: OVER_COMPOSITES.replace("(3, 4, 5)", "(3, 6, 5)")})
    assert changed.executed == ["doubled[1]", "frames", "gathered", "rows_of[1]"]


def test_members_of_a_mapped_value_are_data_and_no_templates(run_dag):
    """Text that looks like a template comes as it is, in lists and dicts, too."""
    run = run_dag(
        """
        from airflow_mlpipe import step

        @step
        def texts() -> list:
            return [["{{ 1 + 1 }}"], {"a": "{{ ds }}"}]

        @step
        def same(value) -> str:
            return repr(value)

        with DAG("texts", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
            same.expand(value=texts())
        """
    )
    assert [one.xcoms["return_value"] for one in run.instances("same")] == ["['{{ 1 + 1 }}']", "{'a': '{{ ds }}'}"]


def test_mapping_over_what_has_no_members_is_an_error_with_a_way_out(run_dag):
    """Airflow would map over the reference's own members; the step fails and says what to return, and does so again."""
    source = """
        from airflow_mlpipe import step

        @step
        def table():
            import pandas as pd
            return pd.DataFrame({"x": [1, 2]})

        @step
        def one(value) -> int:
            return value

        with DAG("mapped_table", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
            one.expand(value=table())
        """
    for _ in range(2):
        run = run_dag(source)
        assert run["table"].state == "failed"
        assert "mapped over this step's result" in run["table"].log


def test_what_partial_gets_is_waited_for(run_dag):
    """Every result among the arguments of a mapped function is an edge, wherever it stands."""
    dag = run_dag.parse(
        """
        from airflow_mlpipe import Outputs, step

        @step
        def two() -> Outputs(a=int, b=int): ...

        @step
        def one() -> int: ...

        @task
        def ordinary(): ...

        @step
        def many(x: int, y=None): ...

        with DAG("edges", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
            many.override(task_id="member").partial(y=two().a).expand(x=[1, 2])
            many.override(task_id="whole").partial(y=ordinary()).expand(x=one())
            many.override(task_id="nested").partial(y=[{"k": one()}]).expand(x=[1])
            many.override(task_id="kwargs").partial(y=one()).expand_kwargs([{"x": 1}])
        """
    )
    upstream = {name: dag.get_task(name).upstream_task_ids for name in ("member", "whole", "nested", "kwargs")}
    assert upstream == {"member": {"two"}, "whole": {"ordinary", "one"}, "nested": {"one__1"}, "kwargs": {"one__2"}}


def test_programs_take_what_functions_return(run_dag):
    """Text and numbers as arguments whatever their length, all else as files of their own; equal names do no harm."""
    run = run_dag(
        """
        from datetime import date
        from airflow_mlpipe import CommandStep, Outputs, PipelineData, step

        @step
        def small():
            return {"n": 3}

        @step
        def large():
            return {"n": list(range(3000))}

        @step
        def day():
            return date(2026, 1, 31)

        @step
        def long_text():
            return "x" * 6000

        @step
        def both() -> Outputs(cfg=dict, n=int):
            return Outputs(cfg={"a": 1}, n=7)

        @task
        def ordinary():
            return [1, 2]

        READ = 'for a in "$@"; do if test -f "$a"; then wc -c < "$a"; else printf %s "$a" | wc -c; fi; done > "$OUT"'

        with DAG("programs", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
            out = PipelineData("out", kind="file")
            made = both()
            CommandStep(task_id="reads", outputs=[out], inputs={"given": small()}, command=[
                "sh", "-c", 'OUT="$MLPIPE_OUTPUT_OUT"; ' + READ + '; cat "$MLPIPE_INPUT_GIVEN" >> "$OUT"', "sh",
                small(), large(), day(), long_text(), made.cfg, made.n, ordinary()])

            @step
            def result(out) -> list:
                return out.read_text().split()

            result(out)
        """
    )
    large = len(json.dumps({"n": list(range(3000))}, separators=(",", ":")))
    found = run["result"].xcoms["return_value"]
    assert [int(n) for n in found[:2] + found[3:-1]] == [7, large, 6000, 7, 1, 5]
    assert found[-1] == '{"n":3}'
