"""``airflow mlpipe module ...``: what each command does and says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support.modules import SCALE_PY, write_module

Run = Callable[..., "object"]


@pytest.fixture
def module(mlpipe, workspace) -> Run:
    """Run a command about modules, with a workspace of its own."""
    return lambda *arguments: mlpipe("module", *arguments)


@pytest.fixture
def scale(tmp_path: Path) -> Path:
    """The folder of a module."""
    return write_module(tmp_path / "scale")


def test_a_skeleton_passes_its_test_and_is_published(module: Run, tmp_path: Path):
    """What ``init`` writes works as it is."""
    folder = tmp_path / "mine"
    assert module("init", str(folder)).code == 0
    tested = module("test", str(folder), "-o", "json")
    assert (tested.code, tested.document["passed"]) == (0, True), tested
    done = module("publish", str(folder), "--author", "Ann", "-o", "json")
    assert (done.document["is_new"], done.document["author"]) == (True, "Ann")
    again = module("publish", str(folder))
    assert again.out.startswith("published already: mine 0.1.0  sha256:")
    assert module("init", str(folder)).code == 1


def test_a_conflict_shows_the_difference(module: Run, scale: Path):
    """Exit code 1, and a line for each."""
    module("publish", str(scale))
    (scale / "scale.py").write_text(SCALE_PY + "# changed\n")
    refused = module("publish", str(scale))
    assert refused.code == 1
    assert "scale.py: changed" in refused.err
    assert module("publish", str(scale), "--dry-run").code == 1


def test_mistakes_are_told_with_their_lines(module: Run, scale: Path):
    """On stderr, without a traceback."""
    (scale / "module.yaml").write_text("api: mlpipe/module/v1\nname: Scale\nversion: 1\nscript: x.py\n")
    refused = module("publish", str(scale))
    assert refused.code == 1
    assert "line 2: name: not a module's name" in refused.err
    assert "line 4: script: there is no such file" in refused.err


def test_modules_are_listed_and_shown(module: Run, scale: Path):
    """With their versions, and what is said of them."""
    module("publish", str(scale))
    module("publish", str(write_module(scale, version="1.1")))
    module("deprecate", "scale@1.1", "--why", "use 2.0")
    (row,) = module("ls", "-o", "json").document["modules"]
    assert (row["definition"]["version"], row["source"], row["versions"]) == ("1.1", "workspace", ["1.1", "1"])
    assert module("ls").rows[1][:3] == ["scale", "1.1", "(deprecated)"]
    shown = module("show", "scale@1.0").out
    assert "numbers" in shown
    assert "table.txt (file)" in shown
    assert "default 2" in shown
    assert "use 2.0" in module("show", "scale").out
    assert module("show", "scale@3").code == 1
    assert module("ls", "--folder", str(scale.parent)).rows[1][:3] == ["scale", "1.1", "bundle"]


def test_a_difference_says_what_breaks_and_what_is_reused(module: Run, scale: Path, tmp_path: Path):
    """Between versions, and between a version and a folder."""
    module("publish", str(scale))
    module("publish", str(write_module(scale, version="1.1", README__md="read me\n")))
    same = module("diff", "scale@1.0", "scale@1.1", "-o", "json").document
    assert same["breaking"] == []
    assert not same["same_step"]  # a script may read the file that was added
    text = (
        (scale / "module.yaml").read_text().replace("default: 2", "maximum: 9").replace("version: 1.1", "version: 2.0")
    )
    (scale / "module.yaml").write_text(text.replace("numbers: {type: table.txt", "numbers: {type: table.txt.utf8"))
    (scale / "scale.py").write_text(SCALE_PY.replace("0.0", "0.5"))
    changed = module("diff", "scale@1.1", str(scale), "--lines")
    assert "breaks DAGs: the input 'numbers' wants table.txt.utf8 (file) instead of table.txt (file)" in changed.out
    assert "breaks DAGs: the parameter 'factor' is required now" in changed.out
    assert "-shift = float(args.shift.read_text()) if args.shift else 0.0" in changed.out
    assert "params.factor.default: removed 2" in changed.out
    about = write_module(
        tmp_path / "other", (tmp_path / "scale" / "module.yaml").read_text().replace("team-a", "team-b")
    )
    (about / "scale.py").write_bytes((scale / "scale.py").read_bytes())
    (about / "README.md").write_bytes((scale / "README.md").read_bytes())
    assert "the same step" in module("diff", str(scale), str(about)).out


def test_versions_are_yanked_and_made_the_default(module: Run, scale: Path):
    """And that is undone."""
    module("publish", str(scale))
    module("publish", str(write_module(scale, version="1.1")))
    assert "yanked" in module("yank", "scale@1.1", "--why", "wrong").out
    assert module("show", "scale", "-o", "json").document["definition"]["version"] == "1.0"
    module("yank", "scale@1.1", "--undo")
    module("default", "scale@1.0")
    assert module("show", "scale", "-o", "json").document["is_default"]
    module("default", "scale", "--clear")
    assert module("show", "scale", "-o", "json").document["definition"]["version"] == "1.1"
    for wrong in (("yank", "scale"), ("yank", "scale@9"), ("default", "scale>=1"), ("deprecate", "nothing@1")):
        assert module(*wrong).code == 1


def test_a_case_that_fails_says_how(module: Run, scale: Path, tmp_path: Path):
    """Exit code 1, with each difference; another case passes beside it."""
    for name, factor, total in (("right", 2, 12.0000001), ("wrong", 3, 12.0)):
        case = scale / "tests" / name
        case.mkdir(parents=True)
        (case / "numbers.txt").write_text("1\n2\n3\n")
        (case / "total.json").write_text(json.dumps({"total": total}))
        (case / "case.yaml").write_text(
            f"inputs: {{numbers: numbers.txt}}\nparams: {{factor: {factor}}}\n"
            "outputs: {scaled: {}, total: {equals: total.json, tolerance: 0.001}}\n"
        )
    done = module("test", str(scale), "--keep", str(tmp_path / "kept"))
    assert done.code == 1
    assert [row[:2] for row in done.rows[1:3]] == [["right", "passed"], ["wrong", "FAILED"]]
    assert "wrong: the output 'total': $.total is 18.0, and 12.0 is expected" in done.out
    assert (tmp_path / "kept" / "wrong" / "total" / "total.json").read_text() == '{"total": 18.0}'
    assert "scaled [2.0, 4.0, 6.0]" in done.err
    assert module("test", str(scale), "--case", "right").code == 0
    assert module("test", str(scale), "--case", "none").code == 1


def test_a_case_with_mistakes_says_where(module: Run, scale: Path):
    """Unknown ports, files that are not there, inputs that are missing."""
    case = scale / "tests" / "first"
    case.mkdir(parents=True)
    (case / "case.yaml").write_text("inputs: {number: x.txt}\noutputs:\n  total: y.json\n")
    refused = module("test", str(scale))
    assert refused.code == 1
    assert "line 1: inputs.number: the module has no such member. fix: did you mean 'numbers'?" in refused.err
    assert "line 1: inputs: the input 'numbers' is required" in refused.err
    assert "line 3: outputs.total: there is no such file or folder" in refused.err
