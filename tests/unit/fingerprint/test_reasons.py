"""Reasons: what a person reads when a step executes."""

from __future__ import annotations

import dataclasses

import pytest
from support.fingerprint_keys import ENVIRONMENT, MOVES, RAW, SPEC, changed, key

from airflow_mlpipe.fingerprint.identity import ContentIdentity, many
from airflow_mlpipe.fingerprint.key import operator_key
from airflow_mlpipe.fingerprint.reasons import LONGEST, explain
from airflow_mlpipe.model import Reuse, Secret
from airflow_mlpipe.model.code import CodeFile, CodeSnapshot
from airflow_mlpipe.model.step import Text


def lines(old, new):
    return [str(reason) for reason in explain(old, new)]


def with_inputs(**members):
    return key(inputs={"raw": dataclasses.replace(RAW, **members)})


def snapshot(**files):
    return CodeSnapshot(
        files={f"{name}.py": CodeFile(data=data) for name, data in files.items()},
        counted=frozenset(f"{name}.py" for name in files),
    )


def test_new():
    """A step that never executed is new."""
    assert lines(None, key()) == ["NEW"]


def test_same():
    """Equal keys have no difference."""
    assert lines(key(), key()) == []


@pytest.mark.parametrize("moved", MOVES.values(), ids=MOVES)
def test_every_miss_has_a_reason(moved):
    """Whatever moves a fingerprint is named, in both directions."""
    assert lines(key(), moved)
    assert lines(moved, key())


def test_code():
    """Files of code are named one by one."""
    old, new = key(snapshot=snapshot(main=b"1", a=b"1", b=b"1")), key(snapshot=snapshot(main=b"1", a=b"2", c=b"1"))
    assert lines(old, new) == ["CODE a.py changed", "CODE b.py removed", "CODE c.py added"]


def test_params():
    """Parameters show both values; text keeps its quotes."""
    old = key(changed(parameters={"lr": 0.1, "n": 1, "gone": [1]}), templated_params={})
    new = key(changed(parameters={"lr": 0.3, "n": "1", "more": None}), templated_params={})
    expected = ["PARAM gone [1] -> (none)", "PARAM lr 0.1 -> 0.3", "PARAM more (none) -> null", 'PARAM n 1 -> "1"']
    assert lines(old, new) == expected


def test_true_is_not_one():
    """A change of 1 to True is a change, although Python says that they are equal."""
    assert lines(key(changed(parameters={"n": 1})), key(changed(parameters={"n": True}))) == ["PARAM n 1 -> true"]


def test_long_values_are_cut():
    """A long value is cut to a readable length."""
    (reason,) = explain(key(changed(parameters={"q": "x" * 500})), key(changed(parameters={"q": "y" * 500})))
    assert reason.old is not None
    assert reason.new is not None
    assert len(reason.old) == len(reason.new) == LONGEST


def test_of_long_values_the_part_that_differs_is_shown():
    """A change at the end of a long command is seen, and not twice the same beginning."""
    old, new = (operator_key("bash", fields={"bash_command": f"{'x' * 500}; echo {n}; {'y' * 500}"}) for n in (1, 2))
    (reason,) = explain(old, new)
    assert reason.subject == "bash_command"
    assert "; echo 1; y" in reason.old
    assert "; echo 2; y" in reason.new
    assert len(reason.old) == len(reason.new) == LONGEST
    assert reason.old.startswith("... x")


def test_templated_argument_is_one_reason():
    """An argument that changed because its parameter did is told once, as the parameter."""
    new = changed(command=(*SPEC.command[:2], Text("{{ params.lr }}", "0.3"), SPEC.command[3]))
    assert lines(key(), key(new, templated_params={"lr": 0.3})) == ["PARAM lr 0.1 -> 0.3"]


def test_templated_argument_that_changed_by_itself():
    """An argument whose template is not only the parameter that changed is told too."""

    def one(day, lr):
        spec = changed(command=(Text("{{ ds }}/{{ params.lr }}", f"{day}/{lr}"),))
        return key(spec, templated_params={"lr": lr})

    expected = ["PARAM lr 1 -> 2", 'COMMAND [0] "a/1" -> "b/2"']
    assert lines(one("a", 1), one("b", 2)) == expected


def test_command():
    """Arguments are named by their position, inserted ones do not shift the rest."""
    new = changed(command=(Text("-v", "-v"), *SPEC.command[:3]))
    assert lines(key(), key(new)) == ['COMMAND [0] (none) -> "-v"', "COMMAND [3] <output model> -> (none)"]


def test_inputs_by_members():
    """A folder says how many files are new, gone and changed, and names the first."""
    old = with_inputs(members={"a": "1", "b": "1", "c": "1"})
    new = with_inputs(digest="tree:2", members={"a": "2", "b": "2", "d": "1", "e": "1"})
    assert lines(old, new) == ["INPUT raw +2 -1 ~2 (a, b, d, ...)"]


def test_inputs_without_members():
    """A folder with too many files says its digest and totals."""
    old, new = with_inputs(digest="tree:" + "a" * 64), with_inputs(digest="tree:" + "b" * 64, files=3, size=9)
    assert lines(old, new) == ["INPUT raw aaaaaaaaaaaa (2 files, 5 bytes) -> bbbbbbbbbbbb (3 files, 9 bytes)"]


def test_input_with_another_rung():
    """An identity that was found in another way says so."""
    assert lines(key(), with_inputs(digest="listing:1", rung="etag")) == [
        "INPUT raw folder by digest -> folder by etag"
    ]


def test_inputs_added_and_removed():
    """Inputs that came or went are named."""
    assert lines(key(), key(inputs={"x": RAW})) == ["INPUT raw removed", "INPUT x added"]


def test_renamed_file_input():
    """A file input of the same bytes and another name says the names."""
    file = ContentIdentity(kind="file", digest="sha256:1", filename="a.csv")
    old, new = key(inputs={"f": file}), key(inputs={"f": dataclasses.replace(file, filename="b.csv")})
    assert lines(old, new) == ["INPUT f a.csv -> b.csv"]


def test_declared_version():
    """A declared version is shown as the author wrote it."""
    old, new = (key(inputs={"f": ContentIdentity.declared("folder", v)}) for v in ("1", "2"))
    assert lines(old, new) == ["INPUT f declared:1 -> declared:2"]


def test_members_of_many():
    """A fan-in names the members that changed."""
    a, b, c = (ContentIdentity(kind="folder", digest=f"tree:{n}") for n in "abc")
    assert lines(key(inputs={"m": many([a, b])}), key(inputs={"m": many([a, c])})) == ["INPUT m ~1 (00001)"]


def test_environment():
    """Packages, variables, the interpreter, requirements and image are told apart."""
    old = {
        "python": "cpython-3.11",
        "packages": {"numpy": "1.0", "scipy": "1"},
        "variables": {"A": "1", "B": None},
        "requirements": {"r.txt": "sha256:1"},
    }
    new = {
        "python": "cpython-3.12",
        "packages": {"numpy": "1.1"},
        "variables": {"A": "2", "B": ""},
        "requirements": {"r.txt": "sha256:2"},
    }
    assert lines(key(environment=old), key(environment=new)) == [
        'ENV package numpy "1.0" -> "1.1"',
        'ENV package scipy "1" -> (none)',
        'ENV python "cpython-3.11" -> "cpython-3.12"',
        'ENV requirements r.txt "sha256:1" -> "sha256:2"',
        'ENV variable A "1" -> "2"',
        'ENV variable B null -> ""',
    ]
    image = key(environment={"image": "registry/train:1.4"})
    assert 'ENV image (none) -> "registry/train:1.4"' in lines(key(environment=ENVIRONMENT), image)


def test_secrets_version_and_salt():
    """References of secrets, the version and the salt are told."""
    new = changed(secrets={"TOKEN": Secret(connection="c")}, reuse=Reuse(version="2"))
    assert lines(key(), key(new, salt="s")) == [
        'SECRET TOKEN "variable:token" -> "connection:c.password"',
        'VERSION null -> "2"',
        'SALT "" -> "s"',
    ]


def test_fields_of_operators():
    """A foreign operator's fields are named."""
    old, new = (operator_key("a.B", fields={"sql": f"select {n}", "x": 1}) for n in (1, 2))
    assert lines(old, new) == ['COMMAND sql "select 1" -> "select 2"']
