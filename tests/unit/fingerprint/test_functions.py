"""The code of a function: what is kept of its file, what counts, and what may not travel."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from textwrap import dedent

import pytest

from airflow_mlpipe.errors import UncacheableError
from airflow_mlpipe.fingerprint.functions import read_function

_NUMBERS = itertools.count()


def keep(value):
    """Stands for the decorator: the plain function of what it made."""
    return getattr(value, "function", None)


class Stepped:
    def __init__(self, function):
        self.function = function


@pytest.fixture
def code(tmp_path):
    """Write a file, import it as Airflow imports a DAG file, and read one of its functions."""

    def read(text, name="target", files=None):
        folder = tmp_path / str(next(_NUMBERS))
        folder.mkdir()
        for path, content in (files or {}).items():
            (folder / path).write_text(dedent(content))
        (folder / "pipeline.py").write_text(dedent(text))
        spec = importlib.util.spec_from_file_location(f"unusual_prefix_{folder.name}_pipeline", folder / "pipeline.py")
        module = importlib.util.module_from_spec(spec)
        module.step = Stepped
        sys.path.insert(0, str(folder))
        try:
            spec.loader.exec_module(module)
            found = getattr(module, name)
            return read_function(keep(found) or found, strip=keep, makes=lambda value: value is Stepped)
        finally:
            sys.path.remove(str(folder))
            for helper in files or {}:
                sys.modules.pop(helper.removesuffix(".py"), None)

    return read


def run(found, *arguments):
    """Call the function in its reduced module, where nothing else is."""
    space = {"__name__": "pipeline", **found.bindings}
    exec(compile(found.snapshot.files[found.file].data, found.file, "exec"), space)
    return space[found.name](*arguments)


BASE = """
    import math
    from os import path, sep
    RATE = 2
    UNUSED = print

    def helper(x):
        return x * RATE

    @step
    def target(x):
        return helper(x) + math.floor(0.5)
    """


def test_the_reduced_module_has_what_the_function_reaches_on_its_own_lines(code):
    found = code(BASE)
    lines = found.snapshot.files["pipeline.py"].data.decode().split("\n")
    assert run(found, 4) == 8
    assert [lines[1], lines[2], lines[4]] == ["import math", "", ""]
    assert lines[10] == "def target(x):"
    assert "@step" not in "\n".join(lines)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("UNUSED = print", "UNUSED = len\n    MORE = 1"),
        ("    RATE = 2", "\n\n    RATE = 2  # of growth"),
        ("from os import path, sep", "from os import path"),
    ],
)
def test_an_edit_elsewhere_and_moved_lines_count_for_nothing(code, old, new):
    assert code(BASE).snapshot.parts == code(BASE.replace(old, new)).snapshot.parts


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("RATE = 2", "RATE = 3", "RATE"),
        ("x * RATE", "RATE * x", "helper()"),
        ("+ math.floor(0.5)", "- math.floor(0.5)", "target()"),
        ("import math", "import cmath as math", "import cmath as math"),
    ],
)
def test_each_thing_that_is_reached_counts(code, old, new, part):
    before, after = code(BASE).snapshot.parts, code(BASE.replace(old, new)).snapshot.parts
    assert before != after
    assert before.get(part) != after[part]


def test_a_file_that_is_imported_counts_and_travels(code):
    text = "from lib import double\n\n@step\ndef target(x):\n    return double(x)\n"
    found = code(text, files={"lib.py": "def double(x):\n    return 2 * x\n", "other.py": "x = 1\n"})
    assert set(found.snapshot.files) == {"pipeline.py", "lib.py"}
    assert found.snapshot.counted == {"lib.py"}


def test_imports_for_type_checking_are_real_ones_there(code):
    found = code(
        """
        from __future__ import annotations
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            import json
            import not_there

        @step
        def target(x: json.JSONDecoder):
            return json.dumps(x)
        """
    )
    assert run(found, [1]) == "[1]"


def test_a_function_in_a_with_block_is_kept_without_the_block(code):
    found = code(
        "import contextlib\n"
        "with contextlib.nullcontext():\n"
        "    BASE = 3\n"
        "    @step\n"
        "    def target(x):\n"
        "        text = '''a\n"
        "b'''\n"
        "        return [x + BASE, text]\n"
    )
    assert run(found, 1) == [4, "a\nb"]
    assert "nullcontext" not in found.snapshot.files["pipeline.py"].data.decode()


NESTED = """
    def around(number):
        import math as m
        def helper(x):
            return x + number
        @step
        def target(x, extra=number):
            for _ in range(2):
                x = helper(x)
                x += 1
            return m.floor(x)
        return target

    target = around(%s)
    """


def test_variables_of_a_function_around_count_by_their_value(code):
    three, four = code(NESTED % 3), code(NESTED % 4)
    assert run(three, 1) == 9
    assert three.bindings == {"number": 3}
    assert three.snapshot.parts["number"] != four.snapshot.parts["number"]


def test_a_statement_that_leaves_a_loop_counts(code):
    moved = NESTED.replace("                x += 1\n", "            x += 1\n")
    assert code(NESTED % 3).snapshot.parts["target()"] != code(moved % 3).snapshot.parts["target()"]


def test_how_often_and_in_which_order_a_value_is_changed_counts(code):
    text = "A = [1]\nB = [2]\n{}@step\ndef target():\n    return A + B\n"
    once, twice = code(text.format("A.append(3)\n")), code(text.format("A.append(3)\nA.append(3)\n"))
    first, last = code(text.format("A += B\nB.append(4)\n")), code(text.format("B.append(4)\nA += B\n"))
    assert once.snapshot.parts != twice.snapshot.parts
    assert first.snapshot.parts != last.snapshot.parts
    assert run(twice) == [1, 3, 3, 2]


def test_two_statements_of_one_line_stay_together(code):
    found = code("import os; import sys\na = 1; b = 2\n@step\ndef target():\n    return b, sys.maxsize > a\n")
    assert run(found) == (2, True)


def test_a_step_that_a_step_calls_is_a_plain_function(code):
    found = code("@step\ndef other(x):\n    return x + 1\n\n@step\ndef target(x):\n    return other.function(x)\n")
    assert "@step" not in found.snapshot.files["pipeline.py"].data.decode()


def test_a_variable_that_cannot_travel_is_refused_by_its_name(code):
    text = """
        def around():
            handle = object()
            @step
            def target():
                return handle
            return target
        target = around()
        """
    with pytest.raises(UncacheableError, match="handle"):
        code(text)


def test_a_variable_that_hides_a_global_in_use_is_refused(code):
    text = """
        k = 10
        def helper():
            return k
        def around(k):
            @step
            def target():
                return helper() + k
            return target
        target = around(3)
        """
    with pytest.raises(UncacheableError, match="k"):
        code(text)


def test_a_function_without_a_file_is_refused():
    space = {}
    exec("def target(): pass", space)
    with pytest.raises(UncacheableError, match="python_callable"):
        read_function(space["target"], strip=keep, makes=lambda value: value is Stepped)
