"""Functions of every shape: what is kept of their file can be run where nothing else is, and counts."""

from __future__ import annotations

import asyncio
import functools
import importlib.util
import itertools
import re
import subprocess
import sys
from textwrap import dedent

import pytest

from airflow_mlpipe import step
from airflow_mlpipe.errors import DefinitionError, UncacheableError
from airflow_mlpipe.fingerprint.functions import read_function
from airflow_mlpipe.operators.function import function_of, makes_steps

_NUMBERS = itertools.count()


@pytest.fixture
def code(tmp_path):
    """Import a file as Airflow imports a DAG file, and read one of its steps."""

    def read(text, name="target", files=None, folder=None):
        folder = folder or tmp_path / str(next(_NUMBERS))
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in (files or {}).items():
            (folder / path).write_text(dedent(content))
        (folder / "pipeline.py").write_text(dedent(text))
        module_name = f"unusual_prefix_{folder.name}_pipeline"
        spec = importlib.util.spec_from_file_location(module_name, folder / "pipeline.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[module_name] = module
        sys.path.insert(0, str(folder))
        try:
            spec.loader.exec_module(module)
            found = getattr(module, name)
            return read_function(function_of(found) or found, strip=function_of, makes=makes_steps)
        finally:
            sys.path.remove(str(folder))
            sys.modules.pop(module_name)
            for helper in files or {}:
                sys.modules.pop(helper.removesuffix(".py"), None)

    return read


def run(found, *arguments):
    """Call the function in its reduced module, where neither Airflow nor this package is imported."""
    text = found.snapshot.files[found.file].data.decode()
    assert "airflow" not in text
    module = type(sys)("reduced")
    vars(module).update(found.bindings)
    sys.modules["reduced"] = module
    try:
        exec(compile(text, found.file, "exec"), vars(module))
        return vars(module)[found.name](*arguments)
    finally:
        del sys.modules["reduced"]


TOP = "from airflow_mlpipe import step\n"

SHAPES = {
    "recursion": (
        """
        @step
        def target(n):
            return 1 if n < 2 else n * target(n - 1)
        """,
        (4,),
        24,
    ),
    "mutual recursion": (
        """
        def even(n):
            return n == 0 or odd(n - 1)
        def odd(n):
            return n != 0 and even(n - 1)
        @step
        def target(n):
            return even(n)
        """,
        (6,),
        True,
    ),
    "recursion of a nested function": (
        """
        def around(base):
            def fact(n, least=base):
                return least if n <= least else n * fact(n - 1)
            @step
            def target(n):
                return fact(n)
            return target
        target = around(1)
        """,
        (4,),
        24,
    ),
    "functools.partial and wraps": (
        """
        import functools
        def logged(f):
            @functools.wraps(f)
            def inner(*args):
                return ['logged', f(*args)]
            return inner
        def add(a, b):
            return a + b
        plus = functools.partial(add, 10)
        @step
        @logged
        def target(n):
            return plus(n)
        """,
        (1,),
        ["logged", 11],
    ),
    "a generator": (
        """
        def rows(n):
            yield from range(n)
        @step
        def target(n):
            return list(rows(n))
        """,
        (3,),
        [0, 1, 2],
    ),
    "a class whose methods call helpers": (
        """
        def helper(x):
            return x * RATE
        RATE = 3
        class Base:
            def __init__(self):
                self.made = [self.of(1)]
        class Model(Base):
            def __init__(self):
                super().__init__()
            def of(self, x):
                return helper(x)
            @property
            def most(self):
                return max(self.made)
        @step
        def target(n):
            return Model().of(n) + Model().most
        """,
        (2,),
        9,
    ),
    "a dataclass": (
        """
        from __future__ import annotations
        from airflow_mlpipe import step
        from dataclasses import dataclass, field
        def first():
            return [START]
        START = 7
        @dataclass
        class Fold:
            name: str
            rows: list[int] = field(default_factory=first)
        @step
        def target(n):
            return Fold('a').rows[0] + n
        """,
        (1,),
        8,
    ),
    "a lambda among the globals": (
        """
        double = lambda x: x * RATE
        RATE = 2
        @step
        def target(n):
            return double(n)
        """,
        (4,),
        8,
    ),
    "the else of TYPE_CHECKING": (
        """
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            import math as real
        else:
            real, other = None, 5
            third = 6
        @step
        def target(n):
            return real.floor(n) + third
        """,
        (1.5,),
        7,
    ),
    "conditional imports": (
        """
        import sys
        try:
            import not_there_at_all as json
        except ImportError:
            import json
        if sys.version_info > (3, 0):
            from math import floor
        else:
            floor = int
        @step
        def target(n):
            return json.dumps(floor(n))
        """,
        (1.5,),
        "1",
    ),
    "a file that can be run": (
        """
        LIMIT = 2
        @step
        def target(n):
            return n * LIMIT
        if __name__ == '__main__':
            LIMIT = 3
            step(target)
        """,
        (2,),
        4,
    ),
    "a function in a with block": (
        """
        from contextlib import nullcontext
        with nullcontext() as dag:
            RATE = 2
            def helper(x):
                return x * RATE
            @step
            def target(n):
                return helper(n)
            @step
            def other():
                return dag
        """,
        (3,),
        6,
    ),
    "a function in an if and in a loop": (
        """
        if True:
            RATE = 2
            def helper(x):
                return x * RATE
            for power in (2, 3):
                @step
                def target(n):
                    return helper(n) ** power
        """,
        (1,),
        8,
    ),
    "a local class with a variable around it": (
        """
        def around(rate):
            class Base:
                start = rate
            class Model(Base):
                def of(self, x):
                    return super().__getattribute__('start') * x + rate
                @staticmethod
                def two():
                    return 2 * rate
            @step
            def target(n):
                return Model().of(n) + Model.two()
            return target
        target = around(5)
        """,
        (1,),
        20,
    ),
    "functions and classes of other modules around it": (
        """
        def around():
            from math import floor
            from decimal import Decimal as Exact
            import os.path as p
            @step
            def target(n):
                return [floor(n), str(Exact('1.50')), p.basename('a/b')]
            return target
        target = around()
        """,
        (1.5,),
        [1, "1.50", "b"],
    ),
    "an import around it that only the annotation uses": (
        """
        def around():
            import decimal as d
            @step
            def target(n: d.Decimal):
                return n
            return target
        target = around()
        """,
        (1,),
        1,
    ),
    "a default of several lines, of a nested helper": (
        """
        def around(rate):
            def helper(x, by=[
                rate,
                rate + 1,
            ], *, more=rate):
                return [x, *by, more]
            @step
            def target(n):
                return helper(n)
            return target
        target = around(3)
        """,
        (1,),
        [1, 3, 4, 3],
    ),
    "a global that a variable around it is, too": (
        """
        def helper(x):
            return x + 1
        def around(helper):
            @step
            def target(n):
                return helper(n) + other(n)
            return target
        def other(x):
            return helper(x)
        target = around(helper)
        """,
        (1,),
        4,
    ),
    "an async helper": (
        """
        import asyncio
        async def one():
            return 1
        async def two():
            return await one() + 1
        @step
        def target():
            return asyncio.run(two())
        """,
        (),
        2,
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_function_of_this_shape_runs_by_itself(code, shape):
    """Recursion, wrappers, classes, conditional imports, blocks, variables around: the value is that of the file."""
    text, arguments, expected = SHAPES[shape]
    text = dedent(text)
    assert run(code(text if "airflow_mlpipe" in text else TOP + text), *arguments) == expected


def test_an_async_function_is_kept_as_one(code):
    """The step's process awaits it."""
    found = code(TOP + "async def half(n):\n    return n / 2\n@step\nasync def target(n):\n    return await half(n)\n")
    assert asyncio.run(run(found, 3)) == 1.5


IMPORTED = {
    "by another name": ("from airflow_mlpipe import step as s\n", "s"),
    "called": ("from airflow_mlpipe import step as s\n", "s(retries=2)"),
    "of the package": ("import airflow_mlpipe as m\n", "m.step"),
    "made once": ("from airflow_mlpipe import step as s\ngpu = s(retries=2)\n", "gpu"),
    "a partial": (
        "import functools\nimport airflow_mlpipe as m\ngpu = functools.partial(m.step, retries=2)\n",
        "gpu()",
    ),
    "by a decorator of the author's": (
        "import airflow_mlpipe\ndef mine(f):\n    return airflow_mlpipe.step(retries=1)(f)\n",
        "mine",
    ),
}


@pytest.mark.parametrize("how", IMPORTED)
def test_the_decorator_is_known_by_what_it_is(code, how):
    """Of the step itself and of a step that it calls, whatever name the decorator has there."""
    head, spelled = IMPORTED[how]
    text = f"{head}@{spelled}\ndef helper(x):\n    return x + 1\n@{spelled}\ndef target(x):\n    return helper(x) * 2\n"
    assert run(code(text), 1) == 4


def test_the_decorator_may_be_imported_in_a_function_around(code):
    """A factory of steps with its own imports."""
    text = """
        def around():
            from airflow_mlpipe import step as s
            @s
            def helper(x):
                return x + 1
            @s(retries=1)
            def target(x):
                return helper(x)
            return target
        target = around()
        """
    assert run(code(text), 1) == 2


def test_a_decorator_that_is_only_called_step_stays(code):
    """What counts is what the name is bound to."""
    text = """
        from airflow_mlpipe import step as s
        def step(f):
            return lambda x: f(x) + 100
        @step
        def helper(x):
            return x
        @s
        def target(x):
            return helper(x)
        """
    assert run(code(text), 1) == 101


def test_calls_that_make_tasks_of_a_step_are_not_kept_with_it(code):
    """`helper.expand(...)` beside a step that another step calls changes nothing that it computes."""
    text = TOP + (
        "class Task:\n    pass\n@step\ndef helper(x):\n    return x\n@step\ndef target(x):\n    return helper(x)\n"
        "helper.override(retries=3)\n"
    )
    assert run(code(text), 2) == 2


def test_star_imports_are_kept_where_a_name_is_nowhere_else(code):
    """With the file that they lead to."""
    text = TOP + "from lib import *\n@step\ndef target(n):\n    return double(n)\n"
    found = code(text, files={"lib.py": "def double(x):\n    return 2 * x\n"})
    assert "from lib import *" in found.snapshot.files["pipeline.py"].data.decode()
    assert set(found.snapshot.files) == {"pipeline.py", "lib.py"}


REFUSED = {
    "two values of one name": (
        """
        def make(k):
            def helper(x):
                return x + k
            return helper
        def around(k):
            add = make(2)
            @step
            def target(n):
                return add(n) + k
            return target
        target = around(1)
        """,
        "k: two functions that the step reaches use variables of this name",
    ),
    "one function with two values": (
        """
        def make(k):
            def helper(x):
                return x + k
            return helper
        def around():
            one, two = make(1), make(2)
            @step
            def target(n):
                return one(n) + two(n)
            return target
        target = around()
        """,
        "k: two functions that the step reaches use variables of this name",
    ),
    "two nested functions of one name": (
        """
        def one():
            def helper():
                return 1
            return helper
        def around():
            def helper():
                return 2
            other = one()
            @step
            def target():
                return helper() + other()
            return target
        target = around()
        """,
        "helper: the step reaches two nested definitions",
    ),
    "a default that cannot travel": (
        """
        def around(handle):
            @step
            def target(n, h=handle):
                return h
            return target
        target = around(object())
        """,
        r"target\(h=\)",
    ),
    "a decorator around it": (
        """
        import functools
        def around(size):
            @step
            @functools.lru_cache(maxsize=size)
            def target(n):
                return n
            return target
        target = around(3)
        """,
        "size: 'target' needs this variable of a function around it when it is defined",
    ),
    "the value of a block": (
        """
        for handle in [object()]:
            @step
            def target():
                return handle
        """,
        "handle",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_told_apart_in_one_module_is_refused_by_its_name(code, case):
    """Never a function that computes with another variable's value."""
    text, words = REFUSED[case]
    with pytest.raises(UncacheableError, match=words):
        code(TOP + dedent(text))


@pytest.mark.parametrize(
    "given",
    [lambda x: x, print, functools.partial(print, 1), "text".upper, dict, 3],
    ids=["lambda", "builtin", "partial", "method", "class", "number"],
)
def test_what_is_no_function_of_its_own_is_refused_at_parse(given):
    """The message says what a step is made of, and what to write."""
    for decorate in (step, step(retries=1)):
        with pytest.raises(DefinitionError, match=re.escape("write def name(...)")):
            decorate(given)


def test_a_cached_function_is_a_step(code):
    """Wrappers that know their function are looked through."""
    text = TOP + "import functools\n@step\n@functools.cache\ndef target(n):\n    return n + 1\n"
    assert run(code(text), 1) == 2


def test_a_function_of_an_installed_package_counts_by_the_packages_version(tmp_path):
    """Its own file is shipped; what that imports beside it is the installed one; the package is among the imports."""
    package = tmp_path / "site-packages" / "installed_steps"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "beside.py").write_text("def double(x):\n    return 2 * x\n")
    (package / "steps.py").write_text(
        "from airflow_mlpipe import step\nfrom .beside import double\n@step\ndef target(x):\n    return double(x)\n"
    )
    program = f"""
import sys
sys.path.insert(0, {str(package.parent)!r})
from airflow_mlpipe.fingerprint.functions import read_function
from airflow_mlpipe.operators.function import function_of, makes_steps
from installed_steps.steps import target
found = read_function(target.function, strip=function_of, makes=makes_steps)
print(sorted(found.snapshot.files), sorted(found.snapshot.imports))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1:] == ["['installed_steps/steps.py'] ['installed_steps']"], done.stderr
