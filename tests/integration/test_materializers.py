"""A type of a third party between steps, on a real Airflow: its materializer comes with the step's environment."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.distributions import Distribution

GROUP = "airflow_mlpipe.materializers"

WEATHER = Distribution(
    name="weather",
    modules={
        "weather/__init__.py": """
            class Series:
                def __init__(self, place, degrees):
                    self.place, self.degrees = place, degrees
            """,
        "weather/materializer.py": """
            import json

            class Materializer:
                format, suffix = "weather/1", ".json"
                types = ("weather.Series",)
                forms = ("weather.Series", "builtins.list")

                def save(self, value, path):
                    path.write_text(json.dumps(value.degrees))
                    return {"place": value.place}

                def load(self, path, form, details):
                    from weather import Series

                    degrees = json.loads(path.read_text())
                    return degrees if form == "builtins.list" else Series(details["place"], degrees)

                def preview(self, value):
                    return {"place": value.place, "days": len(value.degrees)}
            """,
    },
    points={GROUP: {"weather": "weather.materializer:Materializer"}},
)

DAG = """
    from __future__ import annotations
    import pendulum
    from typing import TYPE_CHECKING
    from airflow.sdk import dag, task
    from airflow_mlpipe import Environment, step
    if TYPE_CHECKING:
        import weather

    WITH = Environment(@WITH@)
    READ = Environment(@READ@)

    @step(environment=WITH)
    def measured() -> weather.Series:
        import os
        print("measured in process", os.getpid())
        return weather.Series("Bern", [1.5, 2.5])

    @step(environment=READ)
    def warmest(series: weather.Series) -> float:
        import os, sys
        print("read in process", os.getpid(), sys.prefix)
        assert type(series) is weather.Series, series
        return max(series.degrees)

    @step(environment=READ)
    def counted(degrees: list) -> int:
        return len(degrees)

    @task
    def ordinary(series):
        return series.place

    @dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1))
    def forecast():
        series = measured()
        warmest(series)
        counted(series)
        ordinary(series)

    forecast()
"""


def dag_with(writer: str, reader: str) -> dict[str, str]:
    """The DAG file, with arguments of the two environments."""
    return {"forecast.py": DAG.replace("@WITH@", writer).replace("@READ@", reader)}


@pytest.fixture
def on_path(tmp_path: Path) -> str:
    """An environment like the worker's in which the distribution is installed."""
    return f"variables={{'PYTHONPATH': {str(WEATHER.install(tmp_path / 'site'))!r}}}"


def test_a_type_of_a_third_party_moves_between_processes(run_dag, on_path):
    """It was saved by the third party's materializer, and each consumer gets the form that it asks for."""
    run = run_dag(files=dag_with(on_path, on_path))
    assert run["warmest"].xcoms["return_value"] == 2.5, run.log
    assert run["counted"].xcoms["return_value"] == 2
    row = run["measured"].xcoms["return_value"]
    assert (row["type"], row["format"]) == ("weather.Series", "weather/1")
    assert row["preview"] == {"place": "Bern", "days": 2}
    assert run_dag().executed == []


def test_a_task_whose_python_lacks_the_materializer_says_what_it_needs(run_dag, on_path):
    """A step, and an ordinary task: the error names the format, the type and the Python that lacks it."""
    run = run_dag(files=dag_with(on_path, ""))
    assert (run["measured"].state, run["warmest"].state, run["ordinary"].state) == ("success", "failed", "failed")
    for task in ("counted", "ordinary"):
        assert "no materializer here reads the format of this value" in run[task].log, run[task].log
        assert "of type weather.Series" in run[task].log
        assert "weather/1" in run[task].log
        assert "bin/python" in run[task].log


def test_a_step_in_an_environment_without_our_package_uses_it_too(run_dag, tmp_path):
    """The environment has the third party's distribution and nothing else; what reads it is copied beside the step."""
    wheel = WEATHER.wheel(tmp_path / "wheels")
    bare = 'requirements="requirements.txt"'
    shows = "from importlib.metadata import distributions; print('there:', [d.name for d in distributions()])"
    files = dag_with(bare, bare) | {"requirements.txt": f"weather @ {wheel.as_uri()}\n"}
    files["forecast.py"] = files["forecast.py"].replace("import os, sys", f"import os, sys; {shows}")
    run = run_dag(files=files)
    assert run["warmest"].xcoms["return_value"] == 2.5, run.log
    assert "there: ['weather']" in run["warmest"].log


def test_a_materializer_that_fails_on_import_fails_the_step_with_its_name(run_dag, tmp_path):
    """The producer says which distribution is at fault, and is not tried again."""
    modules = {**WEATHER.modules, "weather/materializer.py": "raise RuntimeError('no licence')\n"}
    site = Distribution(name="weather", modules=modules, points=WEATHER.points).install(tmp_path / "site")
    run = run_dag(files=dag_with(f"variables={{'PYTHONPATH': {str(site)!r}}}", ""))
    assert run["measured"].state == "failed"
    assert "weather 1.0 (entry point weather = weather.materializer:Materializer)" in run["measured"].log
    assert "RuntimeError: no licence" in run["measured"].log
