"""In the Python of a step, directory listings come in sorted order: a real interpreter, a really shuffled folder."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_mlpipe.runtime import variables

PYSITE = Path(variables.__file__).with_name("pysite")


@pytest.fixture
def shuffled(tmp_path: Path) -> Path:
    """A folder whose files were made in random order; the test is void if the file system sorts by itself."""
    folder = tmp_path / "shuffled"
    folder.mkdir()
    names = [f"{n:03d}.txt" for n in range(200)]
    random.Random(7).shuffle(names)
    for name in names:
        (folder / name).touch()
    for name in ("zz", "aa", "mm"):
        (folder / name).mkdir()
        (folder / name / "x").touch()
    return folder


def run(code: str, folder: Path, *more: str, **variables: str) -> str:
    """The output of a program in a Python that has our ``sitecustomize``."""
    path = os.pathsep.join([str(PYSITE), *more])
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        env={"PYTHONPATH": path, "PATH": os.environ["PATH"]} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


LISTINGS = {
    "listdir": "os.listdir(p)",
    "listdir of bytes": "os.listdir(os.fsencode(p))",
    "scandir": "[e.name for e in os.scandir(p)]",
    "scandir of a descriptor": "[e.name for e in os.scandir(os.open(p, os.O_RDONLY))]",
    "current folder": "os.chdir(p) or os.listdir()",
    "glob": "glob.glob(p + '/*')",
    "recursive glob": "[g for g in glob.glob(p + '/**', recursive=True) if '/x' not in g]",
    "iterdir": "[str(q) for q in pathlib.Path(p).iterdir()]",
    "pathlib glob": "[str(q) for q in pathlib.Path(p).glob('*.txt')]",
    "walk, folders": "next(os.walk(p))[1]",
    "walk, files": "next(os.walk(p))[2]",
    "fwalk": "next(os.fwalk(p))[2]",
}


@pytest.mark.parametrize("expression", LISTINGS.values(), ids=LISTINGS.keys())
def test_every_way_to_list_is_sorted(expression: str, shuffled: Path) -> None:
    """Whatever function a program lists with."""
    code = (
        f"import glob, os, pathlib, sys\np = sys.argv[1]\nl = list({expression})\nprint(len(l) > 2 and l == sorted(l))"
    )
    assert run(code, shuffled) == "True"


def test_the_file_system_itself_does_not_sort(shuffled: Path) -> None:
    """Otherwise the tests above prove nothing."""
    if os.listdir(shuffled) == sorted(os.listdir(shuffled)):
        pytest.skip("this file system lists in sorted order")
    assert os.listdir(shuffled) != sorted(os.listdir(shuffled))


def test_scandir_is_an_iterator_and_a_context_manager(shuffled: Path) -> None:
    """Code written for the original works: next, with, close, and entries with all their methods."""
    code = (
        "import os, sys\nwith os.scandir(sys.argv[1]) as it:\n    first = next(it)\n"
        "    print(first.name, first.is_file(), iter(it) is it)\nit.close()\nprint(list(it))"
    )
    assert run(code, shuffled).splitlines() == ["000.txt True True", "[]"]


def test_shutil_works_through_it(shuffled: Path, tmp_path: Path) -> None:
    """Removing and copying trees use descriptors where the system has them, and ask whether scandir takes one."""
    code = (
        "import os, shutil, sys\nassert os.scandir in os.supports_fd and os.listdir in os.supports_fd\n"
        "assert shutil.rmtree.avoids_symlink_attacks\nshutil.copytree(sys.argv[1], 'copy')\nshutil.rmtree('copy')\n"
        "print(os.path.exists('copy'))"
    )
    assert run(f"import os; os.chdir({str(tmp_path)!r})\n{code}", shuffled) == "False"


def test_errors_are_those_of_the_original(tmp_path: Path) -> None:
    """A missing folder is a FileNotFoundError with its name."""
    code = (
        "import os, sys\ntry: os.listdir(sys.argv[1])\nexcept FileNotFoundError as e: print(e.filename == sys.argv[1])"
    )
    assert run(code, tmp_path / "none") == "True"


def test_the_environments_own_sitecustomize_runs_as_well(tmp_path: Path) -> None:
    """Ours hides it, so ours runs it."""
    (tmp_path / "sitecustomize.py").write_text("import os\nos.environ['THEIRS'] = __file__\n")
    code = (
        "import os, sitecustomize; print(os.environ['THEIRS'] == sitecustomize.__file__, os.listdir.__class__.__name__)"
    )
    assert run(code, tmp_path, str(tmp_path)) == "True _ListDir"


def test_it_imports_nothing(tmp_path: Path) -> None:
    """It costs a step nothing that its interpreter has not loaded already."""
    code = "import sys; print(sorted(m for m in sys.modules if not m.startswith('_')))"
    plain = subprocess.run([sys.executable, "-c", code], env={}, capture_output=True, text=True, check=True).stdout
    assert set(eval(run(code, tmp_path))) - {"sitecustomize"} <= set(eval(plain))
