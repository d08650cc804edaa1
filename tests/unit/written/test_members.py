"""Members of a mapping, by name and type; and what files of every kind say alike."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model.environment import Environment
from airflow_mlpipe.model.resources import Gpu, Resources
from airflow_mlpipe.written.environment import read_environment
from airflow_mlpipe.written.members import Members
from airflow_mlpipe.written.places import Written, read_yaml
from airflow_mlpipe.written.resources import read_resources

QUOTE = "fix: quote the text before it: between { and } a comma ends a text."


class File:
    """A file, and the mistakes that were found in it."""

    def __init__(self, text: str) -> None:
        self.written: Written = read_yaml(text, file="f.yaml")
        self.mistakes = self.written.mistakes()

    def members(self, *known: str) -> Members:
        """Those at its top."""
        return Members(self.written.value, (), self.mistakes, what="a thing", known=known or None)

    @property
    def said(self) -> list[str]:
        """What is wrong."""
        return [str(one) for one in self.mistakes.found]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nmae: x", "line 1: nmae: a thing has no such member. fix: did you mean 'name'?."),
        ("zzz: x", "line 1: zzz: a thing has no such member. valid: 'name', 'owner'."),
        ("{name: one, two three}", "line 1: two three: a thing has no such member. " + QUOTE),
        ("two three: x", "line 1: two three: a thing has no such member. valid: 'name', 'owner'."),
        ("[a]", "line 1: a thing is a mapping of names to values. given: ['a']."),
    ],
)
def test_a_member_that_nobody_reads_is_a_mistake(text: str, said: str):
    """With what the author may have meant."""
    file = File(text)
    file.members("name", "owner")
    assert file.said == [said]


def test_a_member_of_the_wrong_type_reads_as_not_there():
    """Each is a mistake, at its line."""
    file = File("a: [x]\nb: 1\nc: true\nd: x\ne: soon\nf: [x, 1]\ng: ../x\nh: y\n")
    members = file.members()
    found: list[Any] = [
        members.text("a"),
        members.boolean("b"),
        members.integer("c"),
        members.number("d"),
        members.duration("e"),
        members.texts("f"),
        members.relative("g"),
        members.choice("h", ("x",)),
    ]
    assert found == [None, None, None, None, None, ("x",), None, None]
    assert [one.line for one in file.mistakes.found] == list(range(1, 9))


def test_a_member_that_is_null_is_not_there():
    """Nothing is wrong with it."""
    file = File("a:\n")
    members = file.members()
    assert (members.text("a"), members.stripped("a"), members.relative("a"), members.texts("a")) == (None, "", None, ())
    assert (members.mapping("a"), members.duration("a"), members.choice("a", ())) == ({}, None, None)
    assert file.said == []


def test_texts_times_and_paths_are_read():
    """A number is the text that stands there, a path has its normal form."""
    members = File("version: 1.10\ntime: 1h30m\npath: ' ./a/../b/ '\nhere: .\n").members()
    assert members.text("version") == "1.10"
    assert members.duration("time") == timedelta(hours=1, minutes=30)
    assert (members.relative("path"), members.relative("here")) == ("b", "")


def test_what_a_check_raises_is_a_mistake():
    """One of ours with its advice, and a TypeError of a check that looks at a value of any type."""
    file = File("a: x\nb: [x]\nc: 3\n")
    members = file.members()

    def ours(value: Any) -> str:
        raise DefinitionError("not one of ours", given=value, fix="write y")

    assert (members.take("a", ours), members.take("b", hash), members.take("c", str)) == (None, None, "3")
    assert file.said == [
        "line 1: a: not one of ours. given: 'x'. fix: write y.",
        "line 2: b: not valid (unhashable type: 'list'). given: ['x'].",
    ]


def test_an_environment_is_read():
    """Numbers that are not quoted are what stands there."""
    file = File("{python: 3.10, packages: [b, a], variables: {OMP_NUM_THREADS: 1, X: y}, pass_variables: [HOME]}")
    assert read_environment(file.written.value, (), file.mistakes) == Environment(
        python="3.10", packages=("a", "b"), variables={"OMP_NUM_THREADS": "1", "X": "y"}, pass_variables=("HOME",)
    )
    assert file.said == []


def test_resources_are_read():
    """An amount is a quantity, or a number of bytes, which stays a number."""
    file = File("{cpu: 0.5, memory: 1073741824, shm: 1Gi, gpu: {kind: a100, memory: 16Gi}}")
    found = read_resources(file.written.value, (), file.mistakes)
    memory: Any = 1073741824
    assert found == Resources(cpu=0.5, memory=memory, shm="1Gi", gpu=Gpu(kind="a100", memory="16Gi"))
    assert found is not None
    assert type(found.memory) is int
    assert file.said == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("environment: {variables: 3}", "environment.variables: this is a mapping of names to values. given: 3."),
        ("environment: {variables: {A: true}}", "environment: the value of a variable is text. given: True."),
        (
            "environment: {imgae: x}",
            "environment.imgae: an environment has no such member. fix: did you mean 'image'?.",
        ),
        ("resources: {gpu: {cuont: 1}}", "resources.gpu.cuont: a GPU has no such member. fix: did you mean 'count'?."),
        ("resources: {cpu: true}", "resources.cpu: this is a number. given: True."),
    ],
)
def test_mistakes_in_them_are_told_where_they_are(text: str, said: str):
    """Not of the whole, where one member is wrong."""
    file = File(text)
    for name, value in file.written.value.items():
        read = {"environment": read_environment, "resources": read_resources}[name]
        read(value, (name,), file.mistakes)
    assert file.said == [f"line 1: {said}"]
