"""The contract of materializers notices what it is for: one that is right passes, and each fault fails its test."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

RIGHT = """
import json


class Words:
    def __init__(self, words):
        self.words = words


class Materializer:
    format, suffix = "words/1", ".json"
    types = ("words.Words",)
    forms = ("words.Words", "builtins.list")

    def save(self, value, path):
        if not isinstance(value, Words):
            raise ValueError(f"a {type(value).__name__} is no Words")
        path.write_text(json.dumps(sorted(value.words)) + "\\n")
        return {"count": len(value.words)}

    def load(self, path, form, details):
        if form not in self.forms:
            raise ValueError(f"words cannot be read as {form}")
        text = path.read_bytes().decode()
        if not text.endswith("\\n"):
            raise ValueError("the words were cut")
        words = json.loads(text)
        return words if form == "builtins.list" else Words(set(words))

    def preview(self, value):
        return {"first": sorted(value.words)[:3]}
"""

SUITE = """
from airflow_mlpipe.testing import MaterializerContract
from words import Words


class TestWords(MaterializerContract):
    materializer = "words:Materializer"
    libraries = ("sqlite3",)
    values = {
        "some": lambda: Words({f"word {n}" for n in range(50)}),
        "empty": lambda: Words(set()),
    }

    def equal(self, value, loaded):
        return type(value) is type(loaded) and value.words == loaded.words
"""

WRONG = {
    "the order of a set": (
        "json.dumps(sorted(value.words))",
        "json.dumps(list(value.words))",
        {"test_equal_values_give_equal_bytes_in_every_process"},
    ),
    "the time in the bytes": (
        '+ "\\n")\n        return {"count"',
        '+ " " * next(N) + "\\n")\n        return {"count"',
        {"test_equal_values_give_equal_bytes"},
    ),
    "a value that is used up": (
        'return {"count": len(value.words)}',
        'count = len(value.words); value.words = set(); return {"count": count}',
        {"test_saving_leaves_the_value_as_it_was", "test_a_value_comes_back_from_a_cache"},
    ),
    "a value that is lost": ("Words(set(words))", "Words(set(words[:49]))", {"test_a_value_comes_back"}),
    "what is remembered in the process": (
        "words = json.loads(text)",
        "words = json.loads(text) if next(N) else []",
        {"test_a_value_comes_back_in_another_process"},
    ),
    "a file that was cut": (
        'raise ValueError("the words were cut")',
        "return Words(set())",
        {"test_a_damaged_file_is_an_error"},
    ),
    "an error that says nothing": (
        "text = path.read_bytes().decode()",
        "text = path.read_bytes().decode(); assert text[0] == '['",
        {"test_a_damaged_file_is_an_error", "test_loading_executes_no_code"},
    ),
    "a pickle": (
        "text = path.read_bytes().decode()",
        "import pickle; data = path.read_bytes(); data[:1] == b'\\x80' and pickle.loads(data); text = data.decode()",
        {"test_loading_executes_no_code"},
    ),
    "a module that the details name": (
        "words = json.loads(text)",
        "words = json.loads(text); count = details['count']; isinstance(count, str) and __import__(count)",
        {"test_details_name_no_module_that_is_imported"},
    ),
    "a library at import": ("import json\n", "import json, sqlite3\n", {"test_importing_it_imports_no_library"}),
    "any type": ("if not isinstance(value, Words)", "if False", {"test_a_value_of_another_type_is_refused"}),
    "a form that is another": ('form == "builtins.list"', "False", {"test_a_form_gives_what_it_is_called"}),
    "any form": ("if form not in self.forms", "if False", {"test_an_unknown_form_is_refused"}),
    "a suffix that is needed": (
        "text = path.read_bytes().decode()",
        "text = path.with_suffix('.json').read_bytes().decode()",
        {"test_a_value_comes_back_from_a_cache"},
    ),
    "a second file": (
        'return {"count"',
        'path.with_suffix(".bak").touch(); return {"count"',
        {"test_a_value_comes_back"},
    ),
    "data in the preview": ("[:3]}", '[:3], "all": "x" * 1001}', {"test_the_preview_is_small_json"}),
    "no JSON in the details": ("len(value.words)}", "(len(value.words),)}", {"test_details_are_small_json"}),
    "long details": (
        "len(value.words)}",
        "0, 'all': ['x' * 10] * 10_000}",
        {"test_details_are_small_json"},
    ),
    "one name for several types": (
        '("words.Words",)\n    forms',
        '("words.Words")\n    forms',
        {"test_its_members_are_what_they_are_for"},
    ),
    "another type's name": (
        'types = ("words.Words",)',
        'types = ("phrases.Words",)',
        {"test_its_values_are_found_by_its_types"},
    ),
    "no version": ("words/1", "words", {"test_its_members_are_what_they_are_for"}),
}


def failed(folder: Path, module: str, suite: str = SUITE) -> set[str]:
    """Names of the tests that fail."""
    (folder / "words.py").write_text("import itertools\nN = itertools.count()\n" + module)
    (folder / "test_words.py").write_text(suite)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rfE", "-p", "no:cacheprovider", "--rootdir", str(folder), "."],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": f"{folder}:{Path(__file__).parents[2]}", "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return set(re.findall(r"^(?:FAILED|ERROR) .*::(test_\w+)", done.stdout, re.MULTILINE))


def test_a_materializer_that_is_right_passes(tmp_path):
    """Nothing fails."""
    assert failed(tmp_path, RIGHT) == set()


@pytest.mark.parametrize("fault", WRONG)
def test_a_fault_fails_its_test(tmp_path, fault):
    """The test that the fault is about fails, perhaps with others."""
    old, new, tests = WRONG[fault]
    module = RIGHT.replace(old, new)
    assert module != RIGHT
    assert tests <= failed(tmp_path, module)


def test_a_suite_without_an_empty_value_fails(tmp_path):
    """Unless it says that there is no such thing."""
    suite = SUITE.replace('"empty"', '"none"')
    assert failed(tmp_path, RIGHT, suite) == {"test_there_is_an_empty_value"}
    assert failed(tmp_path, RIGHT, suite.replace("libraries", "has_empty = False\n    libraries")) == set()
