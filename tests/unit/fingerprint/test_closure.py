"""The import closure: each case is a tiny source folder, and the files that its script consists of."""

from __future__ import annotations

import pytest

from airflow_mlpipe.fingerprint.code import read_code
from airflow_mlpipe.model.step import CodeSpec


@pytest.fixture
def read(tmp_path):
    """Write a source folder and read the closure of ``main.py``, or of another entry."""

    def read(files, entry="main.py", **options):
        for path, text in files.items():
            (tmp_path / "src" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "src" / path).write_text(text)
        return read_code(CodeSpec(root=str(tmp_path / "src"), entry=entry, **options), cache_dir=tmp_path / "cache")

    return read


# The script, the other files, and which of them belong to it.  ``unused.py`` is in every folder and in no closure.
CASES = {
    "nothing": ("print(1)", [], []),
    "module": ("import a", ["a.py"], ["a.py"]),
    "as": ("import a as b", ["a.py", "b.py"], ["a.py"]),
    "from": ("from a import f", ["a.py"], ["a.py"]),
    "package": ("import p", ["p/__init__.py", "p/m.py"], ["p/__init__.py"]),
    "dotted": ("import p.q.m", ["p/__init__.py", "p/q/__init__.py", "p/q/m.py", "p/n.py"],
               ["p/__init__.py", "p/q/__init__.py", "p/q/m.py"]),
    "submodule by from": ("from p import m, f", ["p/__init__.py", "p/m.py", "p/n.py"], ["p/__init__.py", "p/m.py"]),
    "package before module": ("import p", ["p/__init__.py", "p.py"], ["p/__init__.py"]),
    "namespace package": ("import p.m", ["p/m.py", "p/n.py"], ["p/m.py"]),
    "namespace by from": ("from p.q import m", ["p/q/m.py"], ["p/q/m.py"]),
    "in a function": ("def f():\n    import a", ["a.py"], ["a.py"]),
    "in try": ("try:\n    import a\nexcept ImportError:\n    import b", ["a.py", "b.py"], ["a.py", "b.py"]),
    "for types only": ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import a", ["a.py"], ["a.py"]),
    "import_module": ("import importlib\nimportlib.import_module('p.m')", ["p/__init__.py", "p/m.py"],
                      ["p/__init__.py", "p/m.py"]),
    "import_module by another name": ("from importlib import import_module as load\nload('a')", ["a.py"], ["a.py"]),
    "import_module by keyword": ("import importlib as i\ni.import_module(name='a')", ["a.py"], ["a.py"]),
    "__import__": ("__import__('a')", ["a.py"], ["a.py"]),
    "star of a module": ("from a import *", ["a.py"], ["a.py"]),
    "extension": ("import fast", ["fast.cpython-311-x86_64-linux-gnu.so"], ["fast.cpython-311-x86_64-linux-gnu.so"]),
    "standard library": ("import os.path, json", ["json_.py"], []),
    "own module before the standard library": ("import random", ["random.py"], ["random.py"]),
    "file by a literal": ("open('conf/a.yaml')", ["conf/a.yaml", "conf/b.yaml"], ["conf/a.yaml"]),
    "script by a literal": ("run(['python', 'other.py'])", ["other.py"], ["other.py"]),
    "module by a literal": ("load('p.models.Net')", ["p/__init__.py", "p/models.py"], ["p/__init__.py", "p/models.py"]),
    "literal that leaves the folder": ("open('../main.py')", [], []),
    "name with another case": ("import A", ["a.py"], []),
    "missing submodule": ("from p import nothing\nimport p.nothing", ["p/__init__.py"], ["p/__init__.py"]),
}  # fmt: skip


@pytest.mark.parametrize(("script", "others", "expected"), CASES.values(), ids=CASES)
def test_closure(read, script, others, expected):
    """The closure is the script and exactly the files that it can come to import."""
    snapshot = read({"main.py": script, "unused.py": "", **dict.fromkeys(others, "")})
    assert list(snapshot.files) == sorted(["main.py", *expected])
    assert snapshot.remarks == ()
    assert snapshot.counted == set(snapshot.files)


def test_imports_of_imports(read):
    """Modules are followed as far as they go, round circles too."""
    snapshot = read({"main.py": "import a", "a.py": "import b", "b.py": "import a, c", "c.py": "", "d.py": ""})
    assert list(snapshot.files) == ["a.py", "b.py", "c.py", "main.py"]


def test_parents_are_followed(read):
    """The ``__init__.py`` of a package runs when its module is imported, so what it imports counts."""
    snapshot = read(
        {"main.py": "import p.m", "p/__init__.py": "from . import n", "p/m.py": "", "p/n.py": "import a", "a.py": ""}
    )
    assert list(snapshot.files) == ["a.py", "main.py", "p/__init__.py", "p/m.py", "p/n.py"]


def test_relative_imports(read):
    """One dot is the module's folder, two its parent."""
    snapshot = read(
        {
            "main.py": "import p.q.m",
            "p/__init__.py": "",
            "p/q/__init__.py": "",
            "p/q/m.py": "from . import n\nfrom ..r import x\nfrom .. import s\nfrom .t import *",
            **dict.fromkeys(["p/q/n.py", "p/r.py", "p/s.py", "p/q/t.py", "p/n.py", "p/q/r.py"], ""),
        }
    )
    expected = ["main.py", "p/__init__.py", "p/q/__init__.py", "p/q/m.py", "p/q/n.py", "p/q/t.py", "p/r.py", "p/s.py"]
    assert list(snapshot.files) == expected


def test_relative_import_module(read):
    """``import_module(".n", package=__package__)`` is a relative import."""
    text = "from importlib import import_module\nimport_module('.n', package=__package__)"
    snapshot = read({"main.py": "import p.m", "p/__init__.py": "", "p/m.py": text, "p/n.py": "", "p/o.py": ""})
    assert list(snapshot.files) == ["main.py", "p/__init__.py", "p/m.py", "p/n.py"]


def test_star_of_a_package(read):
    """``import *`` imports the submodules that a literal ``__all__`` names."""
    snapshot = read({"main.py": "from p import *", "p/__init__.py": "__all__ = ['m', 'x']", "p/m.py": "", "p/n.py": ""})
    assert list(snapshot.files) == ["main.py", "p/__init__.py", "p/m.py"]


def test_script_in_a_folder(read):
    """The script's own folder comes first on the path, the source folder second."""
    files = {"sub/main.py": "import a, b", "sub/a.py": "", "a.py": "", "b.py": "", "sub/c.py": ""}
    snapshot = read(files, entry="sub/main.py")
    assert list(snapshot.files) == ["b.py", "sub/a.py", "sub/main.py"]


def test_outside_modules(read):
    """Top-level names that are not in the folder are known, for the environment."""
    snapshot = read({"main.py": "import numpy.linalg, a\nfrom sklearn.svm import SVC", "a.py": "import pandas as pd"})
    assert snapshot.imports == {"numpy", "sklearn", "pandas"}


def test_a_mere_folder_does_not_hide_a_package(read):
    """A folder of results named like an installed package does not make its import a local one."""
    snapshot = read({"main.py": "import wandb", "wandb/run.log": ""})
    assert snapshot.imports == {"wandb"}
    assert list(snapshot.files) == ["main.py"]


DOUBTS = {
    "computed import_module": ("import importlib\nn = 'a'\nimportlib.import_module(n)", 3, "import_module"),
    "import_module handed on": (
        "from importlib import import_module\nlist(map(import_module, 'ab'))",
        2,
        "import_module",
    ),
    "computed __import__": ("__import__('a' + 'b')", 1, "__import__"),
    "exec": ("exec(open('a').read())", 1, "exec"),
    "runpy": ("import runpy\nrunpy.run_path('x')", 2, "run_path"),
    "loader": ("from importlib.util import spec_from_file_location as s\ns('a', 'b')", 2, "s is used"),
    "pkgutil": ("import pkgutil\nfor m in pkgutil.iter_modules():\n    pass", 2, "iter_modules"),
    "sys.path": ("import sys\nsys.path.insert(0, 'lib')", 2, "sys.path"),
    "sys.path by another name": ("import sys as s\ns.path += ['lib']", 2, "sys.path"),
    "path from sys": ("from sys import path", 1, "sys.path"),
    "meta_path": ("import sys\nsys.meta_path.append(1)", 2, "sys.meta_path"),
    "__path__": ("__path__ = []", 1, "__path__"),
    "syntax error": ("x = 1\ndef f(:", 2, "parsed"),
    "bytes that are no text": ("\0", 1, "parsed"),
    "above the root": ("from .. import x", 1, "above the source folder"),
    "computed __all__": ("from p import *", 1, "__all__"),
}


@pytest.mark.parametrize(("script", "line", "reason"), DOUBTS.values(), ids=DOUBTS)
def test_doubt_takes_the_whole_folder(read, script, line, reason):
    """Where syntax does not tell what is imported, every file counts, and a remark says where and why."""
    files = {"main.py": script, "unused.py": "import numpy", "lib/a.py": "", "data.csv": "1"}
    snapshot = read({**files, "p/__init__.py": "__all__ = [n for n in 'ab']", "x.pyc": ""})
    assert list(snapshot.files) == sorted([*files, "p/__init__.py"])
    assert snapshot.counted == set(snapshot.files)
    assert "numpy" in snapshot.imports
    (remark,) = snapshot.remarks
    assert remark.startswith(f"main.py:{line}: ")
    assert reason in remark


def test_doubt_in_an_imported_file(read):
    """A doubt in a module that is imported counts, one in a module that is not does not."""
    files = {"main.py": "import a", "a.py": "", "b.py": "exec('1')"}
    assert read(files).remarks == ()
    assert read({**files, "a.py": "import b"}).remarks == ("b.py:1: exec is used; so the whole source folder counts",)


def test_ignored_literal(read):
    """A file that only a literal names and that is ignored is a result of an earlier run, not code."""
    files = {"main.py": "open('model.pkl')", "model.pkl": "", ".mlpipeignore": "*.pkl"}
    assert list(read(files).files) == ["main.py"]


def test_script_that_is_not_python(read):
    """Of a shell script nothing is followed."""
    assert list(read({"run.sh": "python main.py", "main.py": "import a", "a.py": ""}, entry="run.sh").files) == [
        "run.sh"
    ]


def test_python_without_its_ending(read):
    """A script that says in its first line that it is Python is followed."""
    snapshot = read({"train": "#!/usr/bin/env python3\nimport a", "a.py": "", "b.py": ""}, entry="train")
    assert list(snapshot.files) == ["a.py", "train"]


def test_include(read):
    """Included files belong to the code, and what included modules import does too."""
    files = {"main.py": "", "conf/a.yaml": "", "conf/b.txt": "", "plugins/p.py": "import a", "a.py": "", "c.py": ""}
    snapshot = read(files, include=("conf/*.yaml", "plugins/"))
    assert list(snapshot.files) == ["a.py", "conf/a.yaml", "main.py", "plugins/p.py"]
