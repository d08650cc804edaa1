"""The environment's part of a fingerprint: what the code gets to run with, and nothing else."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.fingerprint import packages
from airflow_mlpipe.fingerprint.environment import environment_identity
from airflow_mlpipe.fingerprint.packages import packages_of
from airflow_mlpipe.model import Environment

IMAGE = "registry:5000/team/train:1.4"
DIGEST = "sha256:" + "a" * 64


def identify(environment, root="", imports=(), variables=None, **options):
    return environment_identity(
        environment, root=str(root), imports=frozenset(imports), worker_variables=variables or {}, **options
    )


@pytest.fixture
def requirements(tmp_path):
    """Write requirements files and identify the first."""

    def requirements(**files):
        for name, text in files.items():
            (tmp_path / f"{name}.txt").write_text(text)
        return identify(Environment(requirements=f"{next(iter(files))}.txt"), tmp_path)["requirements"]

    return requirements


def test_worker_python():
    """Without options it is the worker's interpreter, on its platform, with no package."""
    major, minor = sys.version_info[:2]
    expected = {"python": f"cpython-{major}.{minor}", "platform": f"linux-{platform.machine()}", "packages": {}}
    assert identify(Environment(), imports=["os", "sys"]) == expected


def test_packages_are_those_that_are_imported():
    """The packages that the code imports count with their versions, with what they require, and no others."""
    found = packages_of(frozenset({"jinja2", "json"}), None)
    assert set(found) == {"jinja2", "markupsafe"}
    assert found["jinja2"] == __import__("importlib.metadata").metadata.version("jinja2")


def test_distribution_of_another_name():
    """A module is found under the name of its distribution."""
    assert "pyyaml" in packages_of(frozenset({"yaml"}), None)


def test_unknown_module_is_named():
    """A module that belongs to no distribution is part of the answer, so that its installation changes it."""
    assert packages_of(frozenset({"no_such_module_anywhere"}), None) == {"module:no_such_module_anywhere": ""}


def test_installing_a_package_is_seen(tmp_path, monkeypatch):
    """A package that is installed, updated or removed changes the answer, in a process that has asked before."""
    site = tmp_path / "site-packages"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    cache = tmp_path / "cache"

    def install(version):
        folder = site / f"toy-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: Toy\nVersion: {version}\n")
        (folder / "RECORD").write_text("toymodule/__init__.py,,\n")

    asked = frozenset({"toymodule"})
    assert packages_of(asked, cache) == {"module:toymodule": ""}
    install("1.0")
    assert packages_of(asked, cache) == {"toy": "1.0"}
    (site / "toy-1.0.dist-info" / "METADATA").unlink()
    (site / "toy-1.0.dist-info" / "RECORD").unlink()
    (site / "toy-1.0.dist-info").rmdir()
    install("1.1")
    assert packages_of(asked, cache) == {"toy": "1.1"}


def test_answers_are_remembered_on_disk(tmp_path, monkeypatch):
    """A new process does not look through the installation again."""
    packages._answers.clear()
    first = packages_of(frozenset({"jinja2"}), tmp_path)
    packages._answers.clear()
    monkeypatch.setattr(packages, "_index", None)  # looking would fail
    assert packages_of(frozenset({"jinja2"}), tmp_path) == first


@pytest.mark.parametrize("junk", [b"", b"[]", b"{"])
def test_broken_memory_is_no_memory(tmp_path, junk):
    """Whatever stands in the cache, the answer is right."""
    packages._answers.clear()
    first = packages_of(frozenset({"jinja2"}), tmp_path)
    for file in (tmp_path / "packages").iterdir():
        file.write_bytes(junk)
    packages._answers.clear()
    assert packages_of(frozenset({"jinja2"}), tmp_path) == first


def test_standard_library_costs_nothing():
    """Code that imports only the standard library does not even load what looks for packages."""
    program = (
        "import sys; from airflow_mlpipe.fingerprint.packages import packages_of\n"
        "packages_of(frozenset({'os', 'json'}), None); print(len(__import__('airflow_mlpipe.fingerprint.packages',"
        "fromlist=['x'])._answers))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True, check=True
    )
    assert done.stdout.strip() == b"0"


def test_requirements_instead_of_packages(requirements, tmp_path):
    """With a requirements file the worker's packages do not count, whatever the code imports."""
    requirements(r="numpy==1")
    found = identify(Environment(requirements="r.txt", python="3.12"), tmp_path, imports=["jinja2"])
    assert found["python"] == "cpython-3.12"
    assert "packages" not in found


def test_requirements_count_by_their_bytes(requirements):
    """Another pin is another environment; comments, blank lines and line ends are not."""
    first = requirements(r="numpy==1\nscipy\n")
    assert requirements(r="# why\r\n\r\nnumpy==1   # because\r\nscipy\r\n") == first
    assert requirements(r="numpy==2\nscipy\n") != first
    assert requirements(r="scipy\nnumpy==1\n") != first
    assert requirements(r="numpy==1\nscipy\ngit+https://x/y#egg=z") != requirements(
        r="numpy==1\nscipy\ngit+https://x/y#egg=w"
    )


def test_included_requirements(requirements):
    """Files included with -r and -c count, and those that they include."""
    files = {"r": "-r base.txt\nnumpy", "base": "--constraint=c.txt\nscipy", "c": "scipy==1"}
    first = requirements(**files)
    assert list(first) == ["base.txt", "c.txt", "r.txt"]
    assert requirements(**{**files, "c": "scipy==2"}) != first


def test_requirements_that_include_each_other(requirements):
    """A circle of includes ends."""
    assert list(requirements(a="-r b.txt", b="-r a.txt")) == ["a.txt", "b.txt"]


def test_local_project(requirements, tmp_path):
    """A project on disk that a requirement names counts by its content."""
    (tmp_path / "lib" / "__pycache__").mkdir(parents=True)
    (tmp_path / "lib" / "setup.py").write_text("1")
    first = requirements(r="-e ./lib[extra]\n")
    (tmp_path / "lib" / "__pycache__" / "x.pyc").write_text("1")
    assert requirements(r="-e ./lib[extra]\n") == first
    (tmp_path / "lib" / "setup.py").write_text("2")
    assert requirements(r="-e ./lib[extra]\n") != first


@pytest.mark.parametrize("line", ["./ab.whl", "file://{}/a%20b.whl", "tiny[x] @ file://{}/a%20b.whl#sha256=0"])
def test_local_wheel(requirements, tmp_path, line):
    """A wheel on disk counts by its content, whichever way a requirement names it."""
    line = line.format(tmp_path)
    wheel = tmp_path / ("ab.whl" if line.startswith(".") else "a b.whl")
    wheel.write_text("1")
    first = requirements(r=line)
    wheel.write_text("2")
    assert requirements(r=line) != first


def test_place_of_requirements_does_not_count(tmp_path):
    """A moved project has the same environment."""
    found = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "r.txt").write_text("-r s.txt")
        (tmp_path / name / "s.txt").write_text("x")
        found.append(identify(Environment(requirements="r.txt"), tmp_path / name))
        found.append(identify(Environment(requirements=str(tmp_path / name / "r.txt"))))
    assert found[0] == found[1] == found[2] == found[3]


@pytest.mark.parametrize("text", ["-r missing.txt", "./missing"])
def test_missing_file_in_requirements(requirements, text):
    """A requirements file that names a missing one is an error that says its path."""
    with pytest.raises(DefinitionError, match="missing"):
        requirements(r=text)


def test_missing_requirements(tmp_path):
    """A missing requirements file is an error that says its path and the fix."""
    with pytest.raises(DefinitionError, match=r"missing\.txt.*relative to the DAG file"):
        identify(Environment(requirements="missing.txt"), tmp_path)


def test_image():
    """An image counts by its reference; with a digest in it, by the digest alone."""
    assert identify(Environment(image=IMAGE)) == {"image": IMAGE}
    assert identify(Environment(image=f"{IMAGE}@{DIGEST}")) == {"image": DIGEST}
    assert identify(Environment(image=f"mirror/train@{DIGEST}")) == {"image": DIGEST}


def test_declared_variables():
    """Declared variables count by value, passed ones by the worker's; absent is not empty, others do not count."""
    environment = Environment(variables={"B": "1"}, pass_variables=("A", "C"))
    found = identify(environment, variables={"A": "", "OTHER": "x"})
    assert found["variables"] == {"A": "", "B": "1", "C": None}


def test_packages_by_their_text():
    """A list of requirements counts by what it says, in any order, and the worker's packages do not."""
    one, other = Environment(packages=("b==2", "a==1")), Environment(packages=["a==1", "b==2", "a==1"])
    assert identify(one, imports=["yaml"]) == identify(other)
    assert set(identify(one)) == {"python", "platform", "requirements"}
    assert identify(one)["requirements"] != identify(Environment(packages=("a==1", "b==3")))["requirements"]


@pytest.mark.parametrize(
    "said",
    [
        {"packages": "numpy"},
        {"packages": ["-r other.txt"]},
        {"packages": ["numpy\nscipy"]},
        {"packages": [1]},
        {"packages": ["numpy"], "requirements": "requirements.txt"},
        {"packages": ["numpy"], "image": "python"},
    ],
)
def test_packages_that_are_no_list_of_requirements_are_refused(said):
    """An option of pip, several lines, a file or an image besides."""
    with pytest.raises(DefinitionError):
        Environment(**said)
