"""All mistakes of a pipeline's file are told at once, each where it is."""

from __future__ import annotations

from textwrap import dedent

import pytest

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.pipelines.reading.mistakes import PipelineFileError
from airflow_mlpipe.pipelines.reading.pipeline import read_pipeline
from airflow_mlpipe.pipelines.records import DataNamed, Input, OutputOf, Pipeline, Step

HEAD = "api: mlpipe/v1\nname: p\n"
ONE = "steps: {a: {command: [x]}}"


def read(text: str) -> Pipeline:
    """Read a text."""
    return read_pipeline(dedent(text), file="p.yaml").pipeline


def mistakes(text: str) -> list[str]:
    """``line:column place`` of every mistake of a text."""
    with pytest.raises(PipelineFileError) as raised:
        read(text)
    return [f"{one.line}:{one.column} {one.at}" for one in raised.value.mistakes]


def message(text: str) -> str:
    """What is told of a text."""
    with pytest.raises(DefinitionError) as raised:
        read(text)
    return str(raised.value)


def step(members: str, *, data: str = "", before: str = "") -> Step:
    """The step of a pipeline that has one."""
    indented = "".join(f"    {line}\n" for line in dedent(members).strip().splitlines())
    return read(f"{HEAD}{data}steps:\n{before}  train:\n{indented}").step("train")


MANY = """\
api: mlpipe/v1
name: tiny
tagz: [b, a]
params:
  rate: {type: number}
data:
  raw: {datastore: lake, path: ../raw.csv}
steps:
  prepare:
    script: prepare.py
    inputs: {raw: "${data.rw}"}
    arguments: [--in, "${inputs.rew}", "x${inputs.raw}", "${foo}"]
    outputs: [prepared]
    retries: many
    environmnt: {image: x}
    environment: {image: x, python: 3.10}
  show:
    command: cat
    inputs: {x: "${steps.prepare.outputs.prepred}", y: "${steps.prepre.outputs.prepared}"}
    retry_delay: soon
    after: [nobody]
  what:
    scrpt: a.py
"""


def test_every_mistake_of_a_file_has_its_line_and_column() -> None:
    """Fifteen mistakes, told together, in the order of the lines."""
    assert mistakes(MANY) == [
        "3:1 tagz",
        "5:9 params.rate",
        "7:8 data.raw",
        "11:19 steps.prepare.inputs.raw",
        "12:23 steps.prepare.arguments[1]",
        "12:40 steps.prepare.arguments[2]",
        "12:58 steps.prepare.arguments[3]",
        "14:14 steps.prepare.retries",
        "15:5 steps.prepare.environmnt",
        "16:18 steps.prepare.environment",
        "18:14 steps.show.command",
        "19:17 steps.show.inputs.x",
        "19:56 steps.show.inputs.y",
        "20:18 steps.show.retry_delay",
        "21:13 steps.show.after[0]",
        "23:5 steps.what",
    ]


def test_the_message_names_the_file_as_editors_open_it() -> None:
    """``file:line:column`` at the beginning of each line, and how many there are."""
    first, *lines = message(MANY).splitlines()
    assert first == "p.yaml: 16 mistakes:"
    assert lines[0].strip() == "p.yaml:3:1: tagz: a pipeline has no such member. fix: did you mean 'tags'?."


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("steps:\n  a: {script: x.py, reties: 2}", "did you mean 'retries'?"),
        ("steps:\n  a: {scirpt: x.py}", "did you mean 'script'?"),
        ("params: {rate: 0.1}\nsteps:\n  a: {script: x.py, arguments: ['${params.rat}']}", "did you mean 'rate'?"),
        ("steps:\n  a: {script: x.py, reuse: nevr}", "did you mean 'never'?"),
        ("steps:\n  a: {script: x.py, outputs: {m: fiel}}", "did you mean 'file'?"),
    ],
)
def test_what_the_author_may_have_meant_is_said(text: str, advice: str) -> None:
    """The nearest valid name."""
    assert advice in message(HEAD + text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a pipeline is a mapping"),
        ("steps: {a: {command: [x]}}", "the file says which form it has"),
        ("api: mlpipe/v9\nname: x\nsteps: {a: {command: [x]}}", "valid: 'mlpipe/v1'"),
        (HEAD, "steps is a mapping of names to steps, one at least"),
        (f"{HEAD}steps: {{a: {{command: [x], script: y}}}}", "remove all but one"),
        (f"{HEAD}steps: {{a: {{command: []}}}}", "the command is empty"),
        (f"{HEAD}steps: {{a: {{script: }}}}", "script is the name of a script"),
        (f"{HEAD}steps: {{a: {{command: [x], retries: true}}}}", "this is a whole number"),
        (f"{HEAD}steps: {{a: {{command: [x], depends_on_past: yes}}}}", "this is true or false. given: 'yes'"),
        (f"{HEAD}steps: {{a: {{command: [x], reuse: refresh, allow_reuse: false}}}}", "contradict each other"),
        (f"{HEAD}steps: {{a: {{command: [x], outputs: {{mlpipe: file}}}}}}", "this name is reserved"),
        (f"{HEAD}steps: {{a: {{command: [x], expand: {{}}}}}}", "there is nothing to expand"),
        (f"{HEAD}steps: {{a: {{command: [x], expand: {{arguments: [[y]]}}}}}}", "given twice"),
        (f"{HEAD}steps: {{a: {{command: [x], group: g}}}}", "there is no such group"),
        (f"{HEAD}groups: {{g: }}\nsteps: {{a: {{command: [x], group: g}}}}", "fix: name it g.a"),
        (f"{HEAD}groups: {{a: }}\n{ONE}", "a group has this name"),
        (f"{HEAD}start_date: 2026-13-01\n{ONE}", "not a date"),
        (f"{HEAD}start_date: 2026-01-01T00:00:00+02:00\n{ONE}", "a date without an offset"),
        (f"{HEAD}timezone: Europe/Vienna\n{ONE}", "add start_date"),
        (f"{HEAD}schedule: {{when: now}}\n{ONE}", "not a schedule"),
        (f"{HEAD}schedule: {{changes: raw}}\n{ONE}", "valid: ${data.NAME}"),
        (f"{HEAD}schedule: {{changes: '${{data.raw}}'}}\n{ONE}", "there are no data of this name"),
        (f"{HEAD}data: {{raw: {{path: x}}}}\n{ONE}", "add datastore: NAME"),
        (f"{HEAD}params: {{p: {{default: 1, required: true}}}}\n{ONE}", "remove one of the two"),
        (f"{HEAD}steps: {{a: {{command: [x], inputs: {{d: '${{inputs.x}}'}}}}}}", "a pipeline has no inputs"),
        (f"{HEAD}steps: {{a: {{command: ['${{x']}}}}", "this names nothing"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    """In words that name the member's rule or the way out."""
    assert said in message(text)


def test_steps_that_wait_for_each_other_are_shown_as_a_circle() -> None:
    """By data and by order alike; the circle is told once, by its steps."""
    text = f"""{HEAD}steps:
  a: {{command: [x, "${{steps.b.outputs.o}}"], outputs: [o]}}
  b: {{command: [x], after: [c], outputs: [o]}}
  c: {{command: [x, "${{steps.a.outputs.o}}"]}}
"""
    assert "circle: " in message(text)
    assert mistakes(text) == ["4:3 steps.a"] or len(mistakes(text)) == 1


def test_a_reference_without_quotes_between_brackets_is_explained() -> None:
    """YAML itself refuses it, and does not say why."""
    assert "write references in quotes" in message(f"{HEAD}steps: {{a: {{command: [x, ${{data.raw}}]}}}}")


def test_a_file_that_is_an_endless_alias_ends() -> None:
    """Nested aliases and an alias inside itself are refused, and not followed."""
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 9))
    assert "too much" in message(bomb)
    assert "too much" in message("a: &a [*a]")


def test_data_among_the_arguments_are_inputs() -> None:
    """As in Python: the port has the name of the output or of the data; naming it twice is one port."""
    data = "data: {raw: {datastore: lake, path: x}}\n"
    found = step(
        """
        command: [join, "${data.raw}", "${steps.a.outputs.o}", "${data.raw}"]
        inputs: {other: "${steps.a.outputs.o}"}
        """,
        data=data,
        before="  a: {command: [x], outputs: [o]}\n",
    )
    assert found.inputs == (
        Input(name="other", sources=(OutputOf("a", "o"),)),
        Input(name="raw", sources=(DataNamed("raw"),)),
    )
    assert [getattr(one, "name", one) for one in found.arguments] == ["join", "raw", "other", "raw"]


def test_texts_are_texts_and_numbers_are_numbers() -> None:
    """``no`` is a text, ``1e-3`` a number, ``3.10`` of a Python version is not 3.1, a variable's ``1`` is its text."""
    found = step(
        """
        command: [x, no, 1e-3, 2026-01-31, true]
        environment: {python: 3.10, variables: {OMP_NUM_THREADS: 1}}
        """
    )
    assert found.arguments == ("x", "no", 0.001, "2026-01-31", True)
    assert found.environment is not None
    assert (found.environment.python, dict(found.environment.variables)) == ("3.10", {"OMP_NUM_THREADS": "1"})


def test_what_is_said_once_for_all_steps_is_a_default() -> None:
    """A step that says it itself keeps its own, ``null`` included; kinds that cannot have it are passed over."""
    pipeline = read(
        f"""
{HEAD}defaults: {{source: src, environment: {{python: "3.12"}}, retries: 3, compute: gpu}}
steps:
  a: {{script: x.py}}
  b: {{script: x.py, source: other, environment: null, retries: 0}}
"""
    )
    a, b = pipeline.steps
    assert a.environment is not None
    assert (a.source, a.environment.python, a.settings, a.compute) == ("src", "3.12", {"retries": 3}, "gpu")
    assert (b.source, b.environment, b.settings, b.compute) == ("other", None, {"retries": 0}, "gpu")


def test_parameters_get_the_type_of_their_default() -> None:
    """A value alone is a default and its type; a mapping is the JSON Schema, with what it says and no more."""
    said = "a: 1, b: 0.5, c: x, d: {default: 1}, e: {required: true, type: string}"
    pipeline = read(f"{HEAD}params: {{{said}}}\n{ONE}")
    assert {p.name: (p.default, dict(p.schema), p.required) for p in pipeline.params} == {
        "a": (1, {"type": "integer"}, False),
        "b": (0.5, {"type": "number"}, False),
        "c": ("x", {"type": "string"}, False),
        "d": (1, {}, False),
        "e": (None, {"type": "string"}, True),
    }
