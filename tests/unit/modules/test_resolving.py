"""From what an author asks for to a module."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.distributions import Distribution
from support.modules import SCALE, SCALE_PY, write_module

from airflow_mlpipe import modules
from airflow_mlpipe.errors import DefinitionError, StoreError
from airflow_mlpipe.hooks.workspace import Stores
from airflow_mlpipe.modules import folders
from airflow_mlpipe.modules.fetching import code_folder
from airflow_mlpipe.modules.resolved import ResolvedModule
from airflow_mlpipe.modules.resolving import resolve_module
from airflow_mlpipe.modules.standing import standing_of

Published = Callable[..., None]


@pytest.fixture
def find(dag_file: str, deployment: object) -> Callable[[str], ResolvedModule]:
    """Resolve a request of a DAG file."""
    return lambda request: resolve_module(request, dag_file, where="step 'x'")


def found(module: ResolvedModule) -> tuple[str, str]:
    """Version and source."""
    return module.definition.version, module.source


@pytest.mark.parametrize(
    ("request_", "version"),
    [
        ("scale@1.1", "1.1"),
        ("scale@1.1.0", "1.1"),
        ("scale>=1,<2", "1.1"),
        ("scale", "2.0"),
        ("scale<1.1", "1.0"),
        ("scale==2.*", "2.0"),
    ],
)
def test_a_library_answers_versions_ranges_and_names(published: Published, find, request_: str, version: str):
    """The highest that is admitted."""
    published("1.0", "1.1", "2.0", "2.1rc1")
    assert found(find(request_)) == (version, "workspace")


def test_a_name_alone_is_the_default_that_somebody_set(published: Published, find):
    """Until it is cleared; a range does not care."""
    published("1.0", "1.1", "2.0")
    modules.set_default("scale@1.1")
    assert found(find("scale"))[0] == "1.1"
    assert found(find("scale>=1"))[0] == "2.0"


@pytest.mark.parametrize("request_", ["scale@1.2", "scale>3", "scale<1", "org:scale@1.0"])
def test_a_version_that_is_not_there_is_an_error_and_never_another_one(published: Published, find, request_: str):
    """It says which versions there are."""
    published("1.0", "1.1")
    with pytest.raises(DefinitionError, match="no source has") as caught:
        find(request_)
    assert caught.value.given == request_


def test_a_name_that_nobody_has_says_how_to_look(find):
    """And is told apart from a version."""
    with pytest.raises(DefinitionError, match=r"no source has a module of this name.*module ls"):
        find("nothing")


def test_two_libraries_that_can_answer_are_an_error(published: Published, find):
    """Nobody gets another team's module because it has the higher version; saying which one works."""
    published("1.0")
    published("9.0", library="org")
    with pytest.raises(DefinitionError, match="more than one library can answer") as caught:
        find("scale")
    assert caught.value.valid == ("workspace:scale@1.0", "org:scale@9.0")
    assert found(find("org:scale")) == ("9.0", "org")
    assert found(find("scale@9.0")) == ("9.0", "org")


def test_two_libraries_with_the_same_content_are_no_trouble(published: Published, find):
    """A copy of a module is that module."""
    published("1.0")
    published("1.0", library="org")
    assert found(find("scale@1.0")) == ("1.0", "workspace")


def test_a_source_that_is_no_datastore_is_an_error(find):
    """It lists those that there are."""
    with pytest.raises(DefinitionError, match=r"no such source of modules.*'bundle', 'installed', 'workspace', 'org'"):
        find("nowhere:scale@1")


def test_any_datastore_can_be_named_as_the_source(published: Published, find):
    """Also one that is not looked into by itself."""
    published("1.0", library="far")
    assert found(find("far:scale")) == ("1.0", "far")
    with pytest.raises(DefinitionError, match="no source has a module"):
        find("scale")


def test_a_yanked_version_is_refused_by_name_and_skipped_by_ranges(published: Published, find):
    """With what is wrong with it; and undone it is there again."""
    published("1.0", "1.1")
    modules.yank("scale@1.1", "wrong rounding")
    assert found(find("scale>=1"))[0] == "1.0"
    with pytest.raises(DefinitionError, match="yanked: wrong rounding"):
        find("scale@1.1")
    modules.yank("scale@1.1", undo=True)
    shutil.rmtree(Stores().cache)
    assert found(find("scale@1.1"))[0] == "1.1"


def test_a_default_that_is_yanked_is_refused(published: Published, find):
    """And nothing takes its place in silence."""
    published("1.0", "1.1")
    modules.set_default("scale@1.0")
    modules.yank("scale@1.0", "bad")
    with pytest.raises(DefinitionError, match="yanked: bad"):
        find("scale")


def test_a_version_that_is_yanked_later_is_refused_before_it_runs(published: Published, find, monkeypatch):
    """A host that has seen it does not ask at parse, but the worker does."""
    monkeypatch.setenv("AIRFLOW__MLPIPE__MODULE_REFRESH_SECONDS", "0")
    published("1.0")
    module = find("scale@1.0")
    modules.yank("scale@1.0", "bad")
    with pytest.raises(DefinitionError, match="yanked: bad"):
        standing_of(module, Stores(), where="here")


def test_a_deprecated_version_is_found_with_a_warning(published: Published, find):
    """Which says what to use instead."""
    published("1.0")
    modules.deprecate("scale@1.0", "use 2.0")
    assert "deprecated: use 2.0" in find("scale@1.0").remarks[0]
    assert "deprecated: use 2.0" in standing_of(find("scale"), Stores(), where="here")[0]


def test_what_this_host_has_seen_is_found_without_the_library(published: Published, find, tmp_path: Path):
    """A version for good, a range as long as the library's listing is believed; its code, too."""
    published("1.0", "1.1")
    module = find("scale@1.0")
    assert found(find("scale>=1"))[0] == "1.1"
    code_folder(module, Stores())
    shutil.rmtree(tmp_path / "workspace")
    assert found(find("scale@1.0"))[0] == "1.0"
    assert found(find("scale>=1"))[0] == "1.1"
    assert (code_folder(module, Stores()) / "scale.py").read_text() == SCALE_PY


def test_a_new_version_is_found_when_the_listing_is_old(published: Published, find, monkeypatch):
    """After the refresh time, and not before."""
    published("1.0")
    assert found(find("scale"))[0] == "1.0"
    published("1.1")
    assert found(find("scale"))[0] == "1.0"
    monkeypatch.setenv("AIRFLOW__MLPIPE__MODULE_REFRESH_SECONDS", "0")
    assert found(find("scale"))[0] == "1.1"


def test_what_is_remembered_and_broken_is_asked_for_again(published: Published, find, tmp_path: Path):
    """A host's cache is no source of truth."""
    published("1.0")
    find("scale")
    for file in (tmp_path / "cache" / "modules").rglob("*.json"):
        file.write_text("{")
    assert found(find("scale"))[0] == "1.0"


# ---- what is on disk -------------------------------------------------------------------------------------------------


def test_a_module_of_the_bundle_comes_first(published: Published, find, dag_file: str):
    """Beside the DAG file, without a look at any library."""
    published("3.0")
    write_module(Path(dag_file).parent / "modules" / "any-name")
    assert found(find("scale")) == ("1.0", "bundle")
    assert found(find("workspace:scale")) == ("3.0", "workspace")
    assert found(find("scale@3.0")) == ("3.0", "workspace")


def test_modules_of_the_bundle_are_found_from_folders_below(find, dag_file: str, monkeypatch):
    """Up to the bundle's own folder, which Airflow puts on Python's path; not above it."""
    top = Path(dag_file).parent
    monkeypatch.syspath_prepend(str(top / "team"))
    write_module(top / "team" / "modules" / "scale")
    write_module(top / "modules" / "other", version="7.0")
    deep = top / "team" / "a" / "b"
    deep.mkdir(parents=True)
    assert resolve_module("scale", str(deep / "dag.py"), where="").definition.version == "1.0"
    with pytest.raises(DefinitionError):
        resolve_module("scale@7.0", str(deep / "dag.py"), where="")


def test_two_folders_with_one_name_and_version_are_an_error(find, dag_file: str):
    """Both are named."""
    for folder in ("a", "b"):
        write_module(Path(dag_file).parent / "modules" / folder)
    with pytest.raises(DefinitionError, match=r"two modules have the name 'scale' and the version 1.0"):
        find("scale")


def test_a_mistake_in_one_module_is_no_mistake_of_another(find, dag_file: str):
    """Only who asks for it hears of it."""
    top = Path(dag_file).parent / "modules"
    write_module(top / "scale")
    (write_module(top / "broken") / "module.yaml").write_text("api: mlpipe/module/v1\nname: broken\n")
    assert found(find("scale"))[0] == "1.0"
    with pytest.raises(DefinitionError, match=r"broken/module\.yaml"):
        find("broken")


def test_a_module_that_changes_is_read_again(find, dag_file: str):
    """By what the disk says of its file."""
    folder = Path(dag_file).parent / "modules" / "scale"
    write_module(folder)
    assert found(find("scale"))[0] == "1.0"
    write_module(folder, version="1.23")
    assert found(find("scale"))[0] == "1.23"


def test_a_path_is_the_folder_of_a_module(find, dag_file: str):
    """Relative to the DAG file."""
    write_module(Path(dag_file).parent / "mine" / "scale")
    assert found(find("./mine/scale")) == ("1.0", "bundle")
    with pytest.raises(DefinitionError, match="no such folder"):
        find("./mine/other")


def test_modules_of_installed_packages_are_found(find, tmp_path: Path, monkeypatch):
    """By the entry point of their distribution; the package is not imported."""
    package = "raise SystemExit('imported')\n"
    made = Distribution(
        name="acme-ml",
        version="3.1",
        modules={
            "acme_ml/__init__.py": package,
            "acme_ml/steps/__init__.py": package,
            "acme_ml/steps/scale/module.yaml": SCALE.format(version="5.0"),
            "acme_ml/steps/scale/scale.py": SCALE_PY,
        },
        points={"airflow_mlpipe.modules": {"steps": "acme_ml.steps"}},
    )
    monkeypatch.syspath_prepend(str(made.install(tmp_path / "site")))
    folders._installed_folders.cache_clear()
    try:
        module = find("scale")
        assert found(module) == ("5.0", "installed")
        assert module.owner == "acme-ml 3.1"
        assert "acme_ml" not in sys.modules
    finally:
        folders._installed_folders.cache_clear()


# ---- its code --------------------------------------------------------------------------------------------------------


def test_code_that_somebody_changed_on_this_host_is_brought_again(published: Published, find):
    """What runs has the digest of what was published."""
    published("1.0")
    folder = code_folder(find("scale"), Stores())
    (folder / "scale.py").write_text("print('mine')\n")
    again = code_folder(find("scale"), Stores())
    assert (again / "scale.py").read_text() == SCALE_PY


@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_code_that_is_not_what_was_published_is_never_run(published: Published, find, tmp_path: Path, damage: str):
    """The error names the module, the library and the way out, which works."""
    published("1.0")
    blobs = [p for p in (tmp_path / "workspace" / "blobs").rglob("*") if p.is_file() and b"argparse" in p.read_bytes()]
    if damage == "gone":
        blobs[0].unlink()
    else:
        blobs[0].write_bytes(blobs[0].read_bytes().replace(b"scaled", b"stolen"))
    with pytest.raises(StoreError, match=r"library workspace: the code of the module scale 1.0 is .*publish") as caught:
        code_folder(find("scale"), Stores())
    assert "publish the same version again" in str(caught.value)
    published("1.0")
    assert (code_folder(find("scale"), Stores()) / "scale.py").read_text() == SCALE_PY
