"""Materializers of other distributions: found by entry points, and told apart when they are wrong."""

from __future__ import annotations

import importlib
import sys

import pytest
from support.distributions import Distribution

from airflow_mlpipe.errors import ConfigurationError
from airflow_mlpipe.values import registry
from airflow_mlpipe.values.installed import GROUP
from airflow_mlpipe.values.materializer import Saved
from airflow_mlpipe.values.save import save_value

CLASS = """
class Recording:
    pass

class Recordings:
    format, suffix = "recording/1", ".rec"
    types = forms = ("{name}.Recording",)

    def save(self, value, path):
        path.write_text("{name}")

    def load(self, path, form, details):
        return Recording()

    def preview(self, value):
        return {{}}
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a distribution of one module for the test; its materializer may be another text."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(name: str, text: str = CLASS, home: str = "{name}:Recordings", old: str = "", new: str = "") -> None:
        module = text.format(name=name).replace(old, new) if old else text.format(name=name)
        points = {GROUP: {"ours": home.format(name=name)}}
        Distribution(name=name, modules={f"{name}.py": module}, points=points).install(tmp_path)
        importlib.invalidate_caches()
        registry._catalog.cache_clear()

    registry._catalog.cache_clear()
    yield install
    registry._catalog.cache_clear()
    for name in ("tape", "vinyl"):
        sys.modules.pop(name, None)


def test_a_type_and_a_format_of_another_distribution_are_found(install, tmp_path):
    """By the name of the type, and by the format; a small value of it is saved."""
    install("tape")
    import tape

    saved = save_value(tape.Recording(), tmp_path)
    assert isinstance(saved, Saved)
    assert (saved.type, saved.format, (tmp_path / saved.name).read_text()) == ("tape.Recording", "recording/1", "tape")
    assert type(registry.of_format("recording/1")).__name__ == "Recordings"


def test_another_distribution_may_save_a_type_of_ours(install):
    """What it declares comes before what we do; our format is still read by ours."""
    install("tape", old='"tape.Recording"', new='"numpy.ndarray"')
    import numpy as np

    assert type(registry.of_type(np.ndarray)).__module__ == "tape"
    assert type(registry.of_format("npy/1")).__name__ == "Arrays"


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [("vinyl.Recording", "tape.Recording", "type 'tape.Recording'"), ("x", "x", "format 'recording/1'")],
)
def test_two_distributions_that_claim_one_thing_are_an_error_that_names_both(install, old, new, what):
    """Which of them would be taken would be chance."""
    install("tape")
    install("vinyl", CLASS if what.startswith("format") else CLASS.replace("recording/1", "vinyl/1"), old=old, new=new)
    with pytest.raises(ConfigurationError, match=f"two distributions claim the {what}") as error:
        registry.of_type(int)
    assert "tape 1.0" in str(error.value)
    assert "vinyl 1.0" in str(error.value)


def test_two_distributions_that_name_one_class_do_not_disagree(install):
    """One that was renamed, and is installed twice."""
    install("tape")
    install("vinyl", "", home="tape:Recordings")
    assert registry.of_format("recording/1") is not None


@pytest.mark.parametrize("name", ["npy/1", "json/1", "path/1", "structure/1"])
def test_a_format_of_ours_cannot_be_claimed(install, name):
    """What was written in it would be read by somebody else."""
    install("tape", old="recording/1", new=name)
    with pytest.raises(ConfigurationError, match=r"format '.*airflow-provider-mlpipe.*tape 1\.0"):
        registry.of_format("npy/1")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("\nclass Recording:", "import nowhere_to_be_found\nclass Recording:", "ModuleNotFoundError: No module named"),
        ("\nclass Recording:", "raise RuntimeError('no licence')\nclass Recording:", "RuntimeError: no licence"),
        ("\nclass Recording:", "this is no Python\nclass Recording:", "SyntaxError"),
        ("class Recordings", "class Renamed", "AttributeError"),
        ("suffix =", "suffix, __init__ =", "a materializer cannot be made"),
        ("preview", "peek", "lacks members"),
        ("recording/1", "recording", "a name and a version"),
        ('("tape.Recording",)', '("tape.Recording")', "a tuple of names"),
        ("tape.Recording", "Recording", "a tuple of names"),
    ],
)
def test_a_materializer_that_cannot_be_used_is_named(install, old, new, words):
    """With its distribution, its version and its entry point, and what is wrong."""
    install("tape", old=old, new=new)
    with pytest.raises(ConfigurationError, match=words) as error:
        registry.of_type(int)
    assert "tape 1.0 (entry point ours = tape:Recordings)" in str(error.value)
