"""What of a DAG file counts for one function of it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_mlpipe.errors import UncacheableError
from airflow_mlpipe.operators.callables import code_of_function

FILE = """
import math
import helper

RATE = 0.1
LAYERS = {"a": [1, 2]}
UNUSED = 1
STARTED = object()

def scale(x):
    return x * FACTOR

FACTOR = 2

class Model:
    size = 3

    def fit(self):
        return DEPTH

DEPTH = 4

def elsewhere():
    return UNUSED

def make(limit):
    def train(x, y=5):
        if __name__ == "nowhere":
            return STARTED
        return [scale(i) * RATE for i in LAYERS["a"]] + [Model().fit(), limit, math.pi, helper.one()]
    return train

train = make(6)
"""


@pytest.fixture
def digests(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """The digests of ``train`` in a file with replacements."""

    def of(*replacements: tuple[str, str], folder: str = "dags") -> dict[str, str]:
        text = FILE
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / f"{folder}_{abs(hash(replacements))}" / "dag.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        (path.parent / "helper.py").write_text("def one():\n    return 1\n")
        spec = importlib.util.spec_from_file_location(f"dag_{abs(hash((folder, replacements)))}", path)
        module = importlib.util.module_from_spec(spec)
        monkey.syspath_prepend(str(path.parent))
        monkey.setitem(sys.modules, spec.name, module)  # as Airflow does
        spec.loader.exec_module(module)
        return code_of_function(module.train, tmp_path / "cache")

    with pytest.MonkeyPatch.context() as monkey:
        yield of


def test_what_a_function_names_counts(digests):
    """Its source, functions and classes of its file, values, those of enclosing functions, and imported files."""
    named = {"DEPTH", "FACTOR", "LAYERS", "Model()", "RATE", "STARTED", "limit", "scale()"}
    assert digests().keys() == named | {"make.<locals>.train()", "defaults", "helper.py"}


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("RATE = 0.1", "RATE = 0.3", {"RATE"}),
        ('{"a": [1, 2]}', '{"a": [2, 1]}', {"LAYERS"}),
        ("return x * FACTOR", "return FACTOR * x", {"scale()"}),
        ("FACTOR = 2", "FACTOR = True", {"FACTOR"}),
        ("size = 3", "size = 4", {"Model()"}),
        ("DEPTH = 4", "DEPTH = 5", {"DEPTH"}),
        ("make(6)", "make(7)", {"limit"}),
        ("y=5", "y=6", {"defaults", "make.<locals>.train()"}),
        ("UNUSED = 1", "UNUSED = 2", set()),
        ("return UNUSED", "return -UNUSED", set()),
    ],
)
def test_a_change_is_seen_where_the_function_uses_it(digests, old, new, changed):
    """Also through a function or a class that it calls; an edit elsewhere in the file changes nothing."""
    before, after = digests(), digests((old, new))
    assert {name for name in before if before[name] != after[name]} == changed
    assert before.keys() == after.keys()


PARTIAL = """
import functools
import logging

LOG = logging.getLogger("quiet")

def add(a, b):
    return a + b

class Config:
    def __init__(self, depth):
        self.depth = depth

PLUS = functools.partial(add, 10)
CONFIG = Config(3)
OTHER = Config(4)

def train(x):
    LOG.info("training")
    return PLUS(x) * CONFIG.depth
"""


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("(add, 10)", "(add, 11)", {"PLUS"}),
        ("return a + b", "return b + a", {"add()"}),
        ("CONFIG = Config(3)", "CONFIG = Config(5)", {"CONFIG"}),
        ("self.depth = depth", "self.depth = -depth", {"Config()"}),
        ("Config(4)", "Config(5)", set()),
    ],
)
def test_a_value_that_cannot_be_compared_counts_by_how_it_is_made(monkeypatch, tmp_path, old, new, changed):
    """A partial, an instance: the statement, and what that names."""

    def digests(text: str, name: str) -> dict[str, str]:
        (tmp_path / f"{name}.py").write_text(text)
        spec = importlib.util.spec_from_file_location(name, tmp_path / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return code_of_function(module.train, tmp_path / "cache")

    before, after = digests(PARTIAL, "partial_one"), digests(PARTIAL.replace(old, new), "partial_two")
    assert {name for name in before if before[name] != after[name]} == changed
    assert before.keys() == {"train()", "PLUS", "add()", "CONFIG", "Config()", "LOG"}


def test_the_place_of_the_file_does_not_count(digests):
    """A moved project has the same code."""
    assert digests(folder="here") == digests(folder="there")


def test_a_function_without_a_source_is_refused(tmp_path):
    """What cannot be read cannot be compared."""
    with pytest.raises(UncacheableError):
        code_of_function(eval("lambda: 1"), tmp_path)
