"""The order in which steps are shown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_mlpipe.experiment.order import pipeline_order


@st.composite
def _graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    names = draw(st.lists(st.text("abcdef", min_size=1, max_size=3), unique=True, max_size=8))
    return {
        name: draw(st.lists(st.sampled_from(names[at + 1 :]), unique=True)) if names[at + 1 :] else []
        for at, name in enumerate(names)
    }


@given(_graphs())
def test_every_task_comes_once_and_after_those_it_depends_on(graph: dict[str, list[str]]) -> None:
    """The order is a topological one."""
    order = pipeline_order(graph)
    assert sorted(order) == sorted(graph)
    assert all(order.index(task) < order.index(after) for task, following in graph.items() for after in following)


@given(_graphs(), st.randoms())
def test_the_order_does_not_depend_on_how_the_api_lists_tasks(graph: dict[str, list[str]], random: object) -> None:
    """Equal pipelines are shown alike."""
    items = list(graph.items())
    random.shuffle(items)
    assert pipeline_order({k: random.sample(v, len(v)) for k, v in items}) == pipeline_order(graph)


def test_tasks_of_a_cycle_are_not_lost() -> None:
    """Airflow refuses cycles; the display does not depend on that."""
    assert pipeline_order({"a": ["b"], "b": ["a"], "c": []}) == ("c", "a", "b")
