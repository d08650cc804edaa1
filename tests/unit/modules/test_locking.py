"""Lock files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.distributions import Distribution
from support.modules import SCALE, SCALE_PY

from airflow_mlpipe import modules
from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.hooks.workspace import Stores
from airflow_mlpipe.modules import folders
from airflow_mlpipe.modules.fetching import code_folder
from airflow_mlpipe.modules.folders import GROUP
from airflow_mlpipe.modules.lockmaking import moves_of
from airflow_mlpipe.modules.resolved import ResolvedModule
from airflow_mlpipe.modules.resolving import resolve_module
from airflow_mlpipe.modules.standing import standing_of


@pytest.fixture
def dag(dag_file: str, deployment: object) -> Callable[..., SimpleNamespace]:
    """As much of a DAG as locking looks at: tasks that know what their modules were resolved to."""

    def make(*requests: str) -> SimpleNamespace:
        tasks = [SimpleNamespace(resolved=resolve_module(one, dag_file, where="step 'x'")) for one in requests]
        return SimpleNamespace(dag_id="d", fileloc=dag_file, tasks=tasks)

    return make


def found(dag_file: str, request: str = "scale>=1") -> ResolvedModule:
    """What the DAG file gets."""
    return resolve_module(request, dag_file, where="step 'x'")


def test_a_locked_range_stays_what_it_was(published, dag, dag_file: str):
    """Whatever is published later; the lock file is beside the DAG file."""
    published("1.0")
    ((lock, moved),) = modules.lock(dag("scale>=1"))
    assert [str(one) for one in moved] == ["scale>=1: 1.0 of workspace"]
    assert lock.path == Path(dag_file).with_name("mlpipe.lock")
    published("1.1")
    module = found(dag_file)
    assert (module.definition.version, module.locked) == ("1.0", True)


def test_a_locked_dag_needs_no_library_to_parse(published, dag, dag_file: str, tmp_path: Path):
    """All that it needs is in the file."""
    published("1.0")
    before = found(dag_file)
    modules.lock(dag("scale>=1"))
    shutil.rmtree(tmp_path / "workspace")
    shutil.rmtree(tmp_path / "cache")
    after = found(dag_file)
    assert (after.definition, after.code, after.digest) == (before.definition, before.code, before.digest)


def test_what_would_move_is_said(published, dag, dag_file: str):
    """A newer version, a yanked one, and nothing when nothing moved."""
    published("1.0")
    modules.lock(dag("scale>=1"))
    assert moves_of(dag("scale>=1")) == []
    published("1.1")
    assert [str(one) for one in moves_of(dag("scale>=1"))] == ["scale>=1: 1.0 of workspace -> 1.1 of workspace"]
    modules.yank("scale@1.1")
    modules.yank("scale@1.0", "bad")
    (move,) = moves_of(dag("scale>=1"))
    assert move.new is None
    assert "no source has such a version" in str(move)


def test_locking_again_moves_only_what_moved(published, dag, dag_file: str):
    """The file is the same text when nothing did; entries of other DAGs stay."""
    published("1.0", "2.0")
    modules.lock(dag("scale>=1,<2"))
    with modules.unlocked():
        other = dag("scale@2.0")
    modules.lock(other)
    file = Path(dag_file).with_name("mlpipe.lock")
    text = file.read_text()
    with modules.unlocked():
        again = dag("scale>=1,<2", "scale@2.0")
    assert [moved for _, moved in modules.lock(again)] == [[]]
    assert file.read_text() == text
    assert sorted(json.loads(text)["modules"]) == ["scale<2,>=1", "scale@2"]


def test_a_module_that_the_lock_file_does_not_have_is_an_error(published, dag, dag_file: str):
    """It is not resolved behind its back."""
    published("1.0")
    modules.lock(dag("scale>=1"))
    with pytest.raises(DefinitionError, match=r"mlpipe.lock has no entry for this module.*module lock"):
        found(dag_file, "scale@1.0")


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('"script": "scale.py"', '"script": "other.py"', "somebody edited it"),
        ('"version": "1.0"', '"version": "1.1"', "somebody edited it"),
        ('"scale>=1"', '"scale@1"', "no entry for this module"),
        ('"lock/1"', '"lock/2"', "newer version"),
        ('"modules"', '"module"', "not a lock file"),
        ("{", "", "not a lock file"),
    ],
)
def test_a_lock_file_that_somebody_edited_is_refused(published, dag, dag_file: str, old: str, new: str, what: str):
    """And the error says how to make it anew."""
    published("1.0")
    modules.lock(dag("scale>=1"))
    file = Path(dag_file).with_name("mlpipe.lock")
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(DefinitionError, match=what):
        found(dag_file)


@pytest.mark.parametrize(("old", "new"), [('"script": "scale.py"', '"script": "other.py"'), ("{", "<<<<<<< HEAD\n{")])
def test_a_lock_file_that_somebody_edited_is_written_anew(published, dag, dag_file: str, old: str, new: str):
    """By the command that the error names."""
    published("1.0")
    one = dag("scale>=1")
    modules.lock(one)
    file = Path(dag_file).with_name("mlpipe.lock")
    text = file.read_text()
    file.write_text(text.replace(old, new, 1))
    modules.lock(one)
    assert file.read_text() == text


def test_a_lock_file_of_a_newer_version_is_not_overwritten(published, dag, dag_file: str):
    """Whoever wrote it knew more."""
    published("1.0")
    one = dag("scale>=1")
    modules.lock(one)
    file = Path(dag_file).with_name("mlpipe.lock")
    file.write_text(file.read_text().replace('"lock/1"', '"lock/2"'))
    with pytest.raises(DefinitionError, match="newer version"):
        modules.lock(one)


def test_an_entry_under_another_request_is_refused(published, dag, dag_file: str):
    """A version that the range does not admit cannot be slipped into it."""
    published("1.0", "2.0")
    modules.lock(dag("scale@1.0"))
    file = Path(dag_file).with_name("mlpipe.lock")
    file.write_text(file.read_text().replace('"scale@1"', '"scale>=2"'))
    with pytest.raises(DefinitionError, match=r"the entry for this module is scale 1\.0: somebody edited it"):
        found(dag_file, "scale>=2")


def test_a_yanked_version_that_is_locked_runs_with_a_warning(published, dag, dag_file: str, monkeypatch):
    """Who locked it has decided."""
    monkeypatch.setenv("AIRFLOW__MLPIPE__MODULE_REFRESH_SECONDS", "0")
    published("1.0")
    modules.lock(dag("scale>=1"))
    modules.yank("scale@1.0", "bad")
    (note,) = standing_of(found(dag_file), Stores(), where="here")
    assert "yanked: bad" in note
    assert "mlpipe.lock pins it" in note


def test_a_yanked_version_is_no_default(published):
    """Who says its name alone would get an error."""
    published("1.0", "1.1")
    modules.yank("scale@1.1", "bad")
    with pytest.raises(DefinitionError, match="yanked version cannot"):
        modules.set_default("scale@1.1")
    modules.set_default("scale@1.0")


def test_looking_writes_nothing(published, dag, dag_file: str):
    """``write=False`` says what would move."""
    published("1.0")
    ((_, moved),) = modules.lock(dag("scale>=1"), write=False)
    assert len(moved) == 1
    assert not Path(dag_file).with_name("mlpipe.lock").exists()


def test_a_locked_module_of_a_package_has_to_be_installed_as_it_was(dag, dag_file: str, tmp_path: Path, monkeypatch):
    """In that version, with that code; what is not is told with the way out."""

    def install(version: str, code: str) -> None:
        files = {"acme/steps/scale/module.yaml": SCALE.format(version=version), "acme/steps/scale/scale.py": code}
        made = Distribution(
            name="acme", modules={"acme/__init__.py": "", **files}, points={GROUP: {"steps": "acme.steps"}}
        )
        made.install(tmp_path / "site")

    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    folders._installed_folders.cache_clear()
    install("1.0", SCALE_PY)
    try:
        modules.lock(dag("scale"))
        module = found(dag_file, "scale")
        assert (module.source, module.locked) == ("installed", True)
        assert code_folder(module, Stores()) == tmp_path / "site" / "acme" / "steps" / "scale"
        install("1.0", SCALE_PY + "# patched\n")
        with pytest.raises(DefinitionError, match="is not what the lock file pins"):
            code_folder(found(dag_file, "scale"), Stores())
        install("2.0", SCALE_PY)
        with pytest.raises(DefinitionError, match=r"pins the module scale 1.0 of an installed.*2.0 of acme 1.0"):
            found(dag_file, "scale")
    finally:
        folders._installed_folders.cache_clear()
