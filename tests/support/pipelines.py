"""Pipelines of all shapes, for properties: what a file can say, in every combination that is allowed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from airflow_mlpipe.model.data import Datastore, Volatile
from airflow_mlpipe.model.environment import Environment, Secret
from airflow_mlpipe.model.resources import Gpu, Resources
from airflow_mlpipe.model.reuse import Reuse
from airflow_mlpipe.model.step import InputPath, OutputPath
from airflow_mlpipe.pipelines.records import (
    Data,
    DataNamed,
    Expansion,
    Group,
    Input,
    Output,
    OutputOf,
    Parameter,
    Pipeline,
    Step,
)
from airflow_mlpipe.pipelines.schedules import Asset, Changed, Condition, Cron, Every, Updated

NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,6}", fullmatch=True).filter(lambda n: n not in ("mlpipe", "return_value"))
TEXTS = st.one_of(
    st.sampled_from(
        [
            *("", "no", "1e-3", "0x10", "null", "~", "2026-01-31", "1:30", "- a", "a: b", "# c", " x ", "[", "@a", "%"),
            *("a\nb", "a\n\n", "\ttab", "é\u2028", "x\x85y", "\r", "\ufeff", "'", '"'),
            *("$", "a$", "${x}", "$${", "{{ params.p }}", "${{ params.p }}", "{{ ds }}"),
        ]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS)
VALUES = st.recursive(SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(TEXTS, v, max_size=3), max_leaves=5)
TIMES = st.timedeltas(min_value=timedelta(microseconds=1), max_value=timedelta(days=400))
MAYBE_TEXT = st.none() | TEXTS.filter(bool)
DATASTORES = st.builds(
    lambda name, url, connection: Datastore(name, url=url, connection=connection if url else None),
    st.sampled_from(["lake", "pond"]),
    st.sampled_from([None, "file:///a", "s3://b/c"]),
    st.sampled_from([None, "aws"]),
)
ASSETS = st.builds(Asset, name=st.sampled_from(["one", "s3://two/x", "three"]), group=st.sampled_from([None, "g"]))
ENVIRONMENTS = st.one_of(
    st.none(),
    st.builds(
        Environment,
        requirements=st.sampled_from([None, "r.txt"]),
        python=st.sampled_from([None, "3.10"]),
        variables=st.dictionaries(NAMES.map(str.upper), TEXTS, max_size=2),
        pass_variables=st.lists(NAMES, max_size=2, unique=True).map(tuple),
    ),
)
ENVIRONMENTS |= st.builds(Environment, packages=st.sampled_from([("numpy",), ("b>=1", "a==2")]))
RESOURCES = st.none() | st.builds(
    Resources,
    cpu=st.sampled_from([None, 0.5, 2]),
    memory=st.sampled_from([None, "1Gi"]),
    gpu=st.sampled_from([None, Gpu(1), Gpu(2, kind="a100", memory="40Gi")]),
)
REUSES = st.one_of(
    st.none(),
    st.builds(
        Reuse,
        policy=st.sampled_from(["if_unchanged", "never", "refresh"]),
        version=st.sampled_from([None, "1", "1.10", "v"]),
        ignore=st.lists(NAMES, max_size=2, unique=True).map(tuple),
        max_age=st.none() | TIMES,
    ).filter(lambda reuse: reuse != Reuse()),
)
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "doc_md": TEXTS.filter(bool),
        "retries": st.integers(1, 9),
        "retry_delay": TIMES.filter(lambda t: t != timedelta(seconds=300)),
        "retry_policy": st.just("infrastructure"),
        "execution_timeout": TIMES,
        "trigger_rule": st.sampled_from(["all_done", "none_failed"]),
        "depends_on_past": st.just(True),
        "pool": st.sampled_from(["gpu", "1"]),
        "priority_weight": st.integers(2, 9),
    },
)


@st.composite
def parameters(draw: st.DrawFn, name: str) -> Parameter:
    """A parameter, with a schema that its default fits."""
    default = draw(
        st.one_of(st.booleans(), st.integers(), st.sampled_from([0.5, 1e-3]), TEXTS, st.lists(TEXTS, max_size=2))
    )
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
    schema = draw(st.sampled_from([{}, {"type": kinds[type(default)]}, {"type": kinds[type(default)], "title": "T"}]))
    if draw(st.booleans()):
        return Parameter(name=name, required=True, schema=schema, description=draw(MAYBE_TEXT))
    return Parameter(name=name, default=default, schema=schema, description=draw(MAYBE_TEXT))


@st.composite
def outputs(draw: st.DrawFn, name: str) -> Output:
    """An output."""
    kind: Any = draw(st.sampled_from(["file", "folder"]))
    store = draw(st.none() | DATASTORES)
    return Output(
        name=name,
        kind=kind,
        filename=draw(st.sampled_from([None, "a.txt"])) if kind == "file" else None,
        optional=draw(st.booleans()),
        datastore=store,
        path=draw(st.sampled_from([None, "x/{run}"])),
        asset=draw(st.none() | ASSETS),
        volatile=draw(st.sampled_from([(), (Volatile("*.a"),), (Volatile("b", "[0-9]+"),)])),
    )


@st.composite
def steps(draw: st.DrawFn, task_id: str, group: str | None, data: list[Data], before: list[Step]) -> Step:
    """A step that may read the data and the outputs of the steps before it."""
    ends = [DataNamed(d.name) for d in data]
    made = [OutputOf(s.task_id, o.name) for s in before for o in s.outputs]
    inputs = []
    for name in draw(st.lists(NAMES, max_size=3, unique=True)) if ends or made else ():
        if made and draw(st.booleans()):
            inputs.append(Input(name=name, sources=tuple(draw(st.lists(st.sampled_from(made), min_size=1))), many=True))
        else:
            inputs.append(Input(name=name, sources=(draw(st.sampled_from([*ends, *made])),)))
    writes = tuple(draw(outputs(name)) for name in draw(st.lists(NAMES, max_size=2, unique=True)))
    paths = [*(InputPath(i.name) for i in inputs), *(OutputPath(o.name) for o in writes)]
    one = st.one_of(TEXTS, st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False))
    arguments = st.lists(one | st.sampled_from(paths) if paths else one, min_size=1, max_size=4).map(tuple)
    expand = draw(st.none() | st.builds(Expansion, arguments=st.lists(arguments, min_size=1, max_size=2).map(tuple)))
    read = {s.step for i in inputs for s in i.sources if isinstance(s, OutputOf)}
    others = sorted({s.task_id for s in before} - read)
    return Step(
        task_id=task_id,
        kind="command",
        group=group,
        arguments=draw(arguments) if expand is None else (),
        source=draw(st.sampled_from([None, "src"])),
        inputs=tuple(inputs),
        outputs=writes,
        parameters=draw(st.dictionaries(NAMES, VALUES, max_size=2)),
        code=draw(st.sampled_from([None, "closure"])),
        environment=draw(ENVIRONMENTS),
        compute=draw(st.sampled_from(["local", "gpu"])),
        resources=draw(RESOURCES),
        reuse=draw(REUSES),
        secrets=draw(st.sampled_from([{}, {"s": Secret(variable="v")}, {"c": Secret(connection="x", field="login")}])),
        deferrable=draw(st.sampled_from([None, True, False])),
        sorted_listings=draw(st.booleans()),
        expand=expand,
        after=tuple(draw(st.lists(st.sampled_from(others), max_size=2, unique=True).map(sorted))) if others else (),
        settings=draw(SETTINGS),
    )


def schedules(data: list[Data]) -> st.SearchStrategy[Any]:
    """A schedule, perhaps by changes of the data."""
    leaves: list[st.SearchStrategy[Any]] = [st.builds(Updated, asset=ASSETS)]
    if watched := [d.name for d in data if d.version is None]:
        times = st.sampled_from([0.5, 30.0, 60.0, 7.0])
        leaves.append(st.builds(Changed, data=st.sampled_from(watched), window=times, poll=times))
    leaf = st.one_of(leaves)
    joined = st.builds(
        Condition, op=st.sampled_from(["any", "all"]), members=st.lists(leaf, min_size=2, max_size=3).map(tuple)
    )
    crons = st.sampled_from([Cron(expression="@daily"), Cron(expression="0 3 * * *")])
    return st.one_of(st.none(), crons, st.builds(Every, interval=TIMES), leaf, joined)


@st.composite
def pipelines(draw: st.DrawFn) -> Pipeline:
    """A pipeline."""
    params = tuple(draw(parameters(name)) for name in draw(st.lists(NAMES, max_size=2, unique=True)))
    data = []
    for name in draw(st.lists(NAMES, max_size=2, unique=True)):
        store, path = draw(DATASTORES), f"{name}/{draw(st.sampled_from(['a.csv', 'b/', '*.c', '{{ params.p }}']))}"
        data.append(Data(name=name, datastore=store, path=path, version=draw(st.sampled_from([None, "1.10"]))))
    groups = draw(
        st.sampled_from(
            [
                (),
                (Group(name="g"),),
                (Group(name="g", tooltip="t"), Group(name="g.h", parent="g", title="H")),
                (Group(name="g", prefix=False), Group(name="h", parent="g", description="*x*")),
            ]
        )
    )
    found: list[Step] = []
    for index in range(draw(st.integers(1, 4))):
        group = draw(st.sampled_from([None, *groups]))
        prefix = f"{group.name}." if group is not None and group.prefix else ""
        found.append(draw(steps(f"{prefix}s{index}", group.name if group else None, data, found)))
    scheduled = draw(schedules([d for d in data if "{{" not in d.path]))
    if any(p.required for p in params):
        scheduled = None  # Airflow wants a default of every parameter of a DAG that runs by itself
    return Pipeline(
        name=draw(st.from_regex(r"[a-z][a-z0-9_.-]{0,8}", fullmatch=True)),
        title=draw(MAYBE_TEXT.filter(lambda t: t is None or t.strip() != "")),
        description=draw(MAYBE_TEXT),
        doc=draw(MAYBE_TEXT.filter(lambda t: t is None or not t.endswith(".md"))),
        tags=tuple(sorted(draw(st.sets(TEXTS.filter(bool), max_size=2)))),
        params=params,
        data=tuple(data),
        groups=groups,
        steps=tuple(found),
        schedule=scheduled,
        settings=draw(
            st.sampled_from(
                [
                    {},
                    {"start_date": "2026-01-31"},
                    {"start_date": "2026-01-31T06:30:00", "timezone": "Europe/Vienna", "max_active_runs": 3},
                ]
            )
        ),
    )
