"""What the documentation shows is what happens: its DAGs run, its tables are the code's, its links lead somewhere.

A fenced Python block whose first line is a comment with a file name (``# first/prepare.py``) is that file.  The files
of one page are written into one folder; every file at its top is a DAG file and is executed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from support.distributions import Distribution

from airflow_mlpipe.provider import get_provider_info

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "AGENTS.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"# ([\w./-]+\.\w+)\n")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def files_of(page: Path) -> dict[str, str]:
    """The files that a page shows, by name."""
    found: dict[str, str] = {}
    for _, text in _BLOCK.findall(page.read_text()):
        if name := _NAMED.match(text):
            assert name[1] not in found, f"{page.name} shows {name[1]} twice"
            found[name[1]] = text
    return found


def with_wheels(files: dict[str, str], folder: Path) -> dict[str, str]:
    """The files, with a wheel in requirements.txt for each project that it names, so that building needs no index."""
    requirements = files.get("requirements.txt", "")
    for name, text in files.items():
        project, _, file = name.rpartition("/")
        if file != "pyproject.toml":
            continue
        said = dict(re.findall(r'^(name|version) = "(.*)"$', text, re.MULTILINE))
        group, points = re.findall(r'^\[project\.entry-points\."(.*)"\]\n((?:\w+ = ".*"\n)+)', text, re.MULTILINE)[0]
        inside = f"{project}/{said['name']}/"
        made = Distribution(
            **said,
            modules={n.removeprefix(f"{project}/"): t for n, t in files.items() if n.startswith(inside)},
            points={group: dict(re.findall(r'(\w+) = "(.*)"', points))},
        )
        requirements = requirements.replace(f"./{project}", f"{made.name} @ {made.wheel(folder).as_uri()}")
    return {**files, "requirements.txt": requirements} if requirements else files


def dags_of(page: Path) -> list[str]:
    """The DAG files among them."""
    return sorted(name for name in files_of(page) if "/" not in name and name.endswith(".py"))


DAGS = [(page, name) for page in PAGES for name in dags_of(page)]


def test_the_readme_shows_a_dag():
    """The README's first DAG is found, so that the next test cannot pass by finding nothing."""
    assert dags_of(ROOT / "README.md") == ["first.py"]


@pytest.mark.parametrize(("page", "name"), DAGS, ids=[f"{page.stem}-{name}" for page, name in DAGS])
def test_a_dag_of_the_docs_runs_and_is_reused(page: Path, name: str, run_dag, tmp_path: Path):
    """A DAG that the docs show succeeds, and executes nothing of ours when it runs again."""
    files = files_of(page)
    for other in dags_of(page):
        if other != name:
            del files[other]
    lake = tmp_path / "lake"  # what the examples call /srv/lake
    (lake / "raw").mkdir(parents=True)
    (lake / "raw" / "2026-01.csv").write_text("1\n7\n")
    (lake / "raw" / "2026-02.csv").write_text("3\n5\n")
    files = {file: text.replace("/srv/lake", str(lake)) for file, text in files.items()}
    first = run_dag(files=with_wheels(files, tmp_path / "wheels"))
    assert first.state == "success", first.log
    assert first.executed
    again = run_dag()
    assert again.state == "success", again.log
    assert (again.executed, again.reused) == ([], first.executed)


def test_the_materializer_of_the_docs_passes_the_contract(tmp_path: Path):
    """The suite that docs/values.md shows passes as its reader would run it, in a process of its own."""
    for name, text in files_of(ROOT / "docs" / "values.md").items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "tests"],
        cwd=tmp_path / "recordings",
        env=os.environ | {"PYTHONPATH": f"{tmp_path / 'recordings'}:{ROOT}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout


def test_the_readmes_log_lines_are_real(run_dag):
    """The log of `train` has the lines that the README shows for its three runs."""
    first = run_dag(files=files_of(ROOT / "README.md"))["train"].log
    assert "EXECUTED because NEW" in first
    assert "staged 1 files by links, fetched 0 bytes" in first
    assert "trained on 100 numbers" in first
    second = run_dag()["train"].log
    assert "REUSED from first/manual__" in second
    assert "trained on" not in second
    third = run_dag(conf={"rate": 0.3})["train"].log
    assert "EXECUTED because PARAM rate 0.1 -> 0.3" in third


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_what_is_there(page: Path):
    """Every link of a page to a file of the repository leads to that file, and to a heading that it has."""
    for link in _LINK.findall(_BLOCK.sub("", page.read_text())):
        if "://" in link:
            continue
        path, _, heading = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        if heading:
            assert heading in anchors(target), f"{page.name}: {link}; there are {sorted(anchors(target))}"


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", _BLOCK.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_option_is_documented():
    """The tables of the pages are what provider.py declares, and nothing else."""
    from tools.option_table import option_table

    pages = {"mlpipe": "deploy.md", "mlpipe_docker": "executors.md"}
    assert pages.keys() == get_provider_info()["config"].keys()
    for section, page in pages.items():
        assert option_table(get_provider_info(), section) in (ROOT / "docs" / page).read_text()


def test_every_reason_is_documented():
    """docs/reuse.md has a section for each code that the package gives as a reason, and for no other."""
    sources = [p.read_text() for p in (ROOT / "airflow_mlpipe").rglob("*.py")]
    given = {code for text in sources for code in re.findall(r'code="([A-Z_]+)"|_values\(\s*"([A-Z_]+)"', text)}
    codes = {a or b for a, b in given}
    documented = set(re.findall(r"^### `([A-Z_]+)`$", (ROOT / "docs" / "reuse.md").read_text(), re.MULTILINE))
    assert documented == codes


def test_every_variable_of_the_program_is_documented():
    """docs/concepts.md names every variable that a program gets without declaring it."""
    from airflow_mlpipe.runtime import variables

    page = (ROOT / "docs" / "concepts.md").read_text()
    for name in (*variables.FROM_HOST, *variables.PROXIES, *variables.FIXED):
        assert f"`{name}`" in page, name


SEES = """
from airflow_mlpipe import Datastore, DataReference, PipelineData, ScriptStep, Secret

with DAG("sees"):
    out = PipelineData("out")
    ScriptStep(
        task_id="step", source_directory="scripts", script_name="step.py",
        inputs=[DataReference(Datastore("here", url="@LAKE@"), "a.txt", name="host")], outputs=[out],
        parameters={"rate": 1}, secrets={"hub": Secret(variable="docs_secret")},
    )
"""


def test_a_program_sees_only_documented_variables(run_dag, tmp_path: Path, monkeypatch):
    """docs/concepts.md names every variable that is in a program's environment."""
    monkeypatch.setenv("AIRFLOW_VAR_DOCS_SECRET", "a-secret-of-the-docs")
    monkeypatch.setenv("SURPRISE", "1")
    show = "import json, os\njson.dump(sorted(os.environ), open(os.environ['MLPIPE_RESULT'], 'w'))\n"
    (tmp_path / "a.txt").touch()
    run = run_dag(SEES.replace("@LAKE@", tmp_path.as_uri()), files={"scripts/step.py": show})
    seen = run["step"].xcoms["return_value"]
    ports = {"MLPIPE_INPUT_HOST", "MLPIPE_OUTPUT_OUT", "MLPIPE_SECRET_HUB", "AML_PARAMETER_rate"}
    ports |= {f"{kind}_{name}" for kind, name in (("AZURE_ML_INPUT", "host"), ("AZURE_ML_OUTPUT", "out"))}
    ports |= {"AZUREML_DATAREFERENCE_host", "AZUREML_DATAREFERENCE_out"}
    assert ports <= set(seen)
    page = (ROOT / "docs" / "concepts.md").read_text()
    undocumented = [name for name in seen if name not in ports and f"`{name}`" not in page]
    # LC_CTYPE is set by Python itself, in its own process.
    assert set(undocumented) <= {"LC_CTYPE"}


def test_every_export_is_documented():
    """One of the pages names everything that the package exports."""
    import airflow_mlpipe

    pages = "".join(page.read_text() for page in sorted((ROOT / "docs").glob("*.md")))
    for name in airflow_mlpipe.__all__:
        assert re.search(rf"`[^`\n]*\b{name}\b[^`\n]*`", pages), name


MISTAKES = {
    "script": """
        with DAG("mistake"):
            ScriptStep(task_id="train", source_directory="first", script_name="trian.py")
    """,
    "producer": """
        with DAG("mistake"):
            ScriptStep(
                task_id="prepare",
                source_directory="first",
                script_name="prepare.py",
                outputs=[PipelineData("numbers")],
            )
            ScriptStep(
                task_id="train", source_directory="first", script_name="train.py", inputs=[PipelineData("model")]
            )
    """,
    "two steps": """
        with DAG("mistake"):
            x = PipelineData("x")
            CommandStep(task_id="a", command=["true"], outputs=[x])
            CommandStep(task_id="b", command=["true"], outputs=[x])
    """,
    "cycle": """
        with DAG("mistake"):
            x, y = PipelineData("x"), PipelineData("y")
            CommandStep(task_id="a", command=["true"], inputs=[y], outputs=[x])
            CommandStep(task_id="b", command=["true"], inputs=[x], outputs=[y])
    """,
    "shell": """
        with DAG("mistake"):
            ScriptStep(task_id="a", source_directory="first", script_name="train.py", arguments="--in x")
    """,
}


@pytest.mark.parametrize("name", MISTAKES)
def test_the_errors_that_the_docs_show_are_real(name: str, run_dag):
    """docs/authoring.md shows the messages of mistakes as Airflow gets them."""
    run_dag.write({"first/train.py": "", "first/prepare.py": ""})
    with pytest.raises(AssertionError) as error:
        run_dag.parse("from airflow_mlpipe import *\n" + dedent(MISTAKES[name]))
    message = str(error.value).strip().splitlines()[-1].partition("DefinitionError: ")[2]
    message = message.replace(str(run_dag.folder), "/opt/airflow/dags")
    assert message
    assert message in (ROOT / "docs" / "authoring.md").read_text()


def test_messages_that_the_docs_name_are_those_of_the_code():
    """The messages in the tables of docs/troubleshooting.md occur in the package; `...` stands for what differs."""
    sources = "".join(p.read_text() for p in (ROOT / "airflow_mlpipe").rglob("*.py"))
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    tables = re.findall(r"^\| message \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", page, re.MULTILINE)
    named = [m for table in tables for row in table.splitlines() for m in re.findall(r"`([^`]+)`", row.split("|")[1])]
    assert len(named) > 50
    missing = [m for m in named for part in m.split("...") if part.strip() and part.strip() not in sources]
    assert set(missing) <= NOT_OURS


NOT_OURS = {"ModuleNotFoundError", "FileNotFoundError", "PermissionError"}
"""Errors of Python, in programs."""


def test_blocks_are_python_that_parses():
    """Every Python block of the docs is Python."""
    for page in PAGES:
        for language, text in _BLOCK.findall(page.read_text()):
            if language == "python":
                compile(text, f"{page.name}: {text.splitlines()[0]}", "exec")


def test_the_changelog_names_the_version():
    """The changelog's latest entry is of the version that the package has."""
    import airflow_mlpipe

    assert f"## [{airflow_mlpipe.__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_only_a_block_with_a_file_name_is_a_file(tmp_path: Path):
    """A block without a file name on its first line is no file, and one below a folder is no DAG file."""
    page = tmp_path / "page.md"
    page.write_text("```python\nx = 1\n```\n\n```python\n# a/b.py\ny = 2\n```\n")
    assert files_of(page) == {"a/b.py": "# a/b.py\ny = 2\n"}
    assert dags_of(page) == []
