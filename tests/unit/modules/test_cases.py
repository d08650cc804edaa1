"""The examples in a module's folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.modules import write_module

from airflow_mlpipe import modules
from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.modules.case_files import read_cases
from airflow_mlpipe.modules.comparing import unlike
from airflow_mlpipe.modules.reading import read_module
from airflow_mlpipe.written.mistakes import WrittenError

COUNT = """
    api: mlpipe/module/v1
    name: count
    version: 1.0
    inputs: {lines: text, others: {type: any, optional: true}}
    outputs: {value: metrics}
    params: {least: {type: integer, default: 2}}
    function: count.py:count
    """
COUNT_PY = """
    from pathlib import Path


    def count(lines: Path, least: int = 2, others: dict | None = None) -> dict:
        return {"words": len([word for word in lines.read_text().split() if len(word) >= least])}
    """


def test_a_function_is_tested_like_a_program(tmp_path: Path, deployment: object):
    """Its inputs are the case's files, and its result becomes one."""
    folder = write_module(tmp_path / "count", COUNT, count__py=COUNT_PY)
    for least, words in ((2, 2), (3, 1)):
        case = folder / "tests" / f"least-{least}"
        case.mkdir(parents=True)
        (case / "lines.txt").write_text("a bb ccc\n")
        (case / "words.json").write_text(f'{{"words": {words}}}\n')
        (case / "case.yaml").write_text(
            f"inputs: {{lines: lines.txt}}\nparams: {{least: {least}}}\n"
            "outputs: {value: {equals: words.json, tolerance: 0}}\n"
        )
    results = modules.test(folder)
    assert [(one.case, one.problems) for one in results] == [("least-2", ()), ("least-3", ())]


def test_a_module_without_cases_says_how_to_write_one(tmp_path: Path):
    """Nothing that was not tested passes."""
    with pytest.raises(DefinitionError, match=r"no cases.*tests/first/case\.yaml"):
        modules.test(write_module(tmp_path / "scale"))


def test_an_input_without_a_path_is_not_there(tmp_path: Path):
    """Of a required one that is a mistake, and not the case's own folder."""
    folder = write_module(tmp_path / "count", COUNT, count__py=COUNT_PY)
    file = folder / "tests" / "first" / "case.yaml"
    file.parent.mkdir(parents=True)
    (file.parent / "lines.txt").touch()
    file.write_text("inputs: {lines: lines.txt, others: }")
    assert [one.inputs for one in read_cases(folder, read_module(folder))] == [{"lines": "lines.txt"}]
    file.write_text("inputs: {lines: }")
    with pytest.raises(WrittenError, match="the input 'lines' is required"):
        read_cases(folder, read_module(folder))


@pytest.mark.parametrize(
    ("expected", "given", "tolerance", "differs"),
    [
        ("1.0\n", "1.0\n", None, []),
        ("1.0\n", "1.00\n", None, ["other bytes (5, and 4 are expected)"]),
        ("1.0\n", "1.00\n", 0.0, []),
        ('{"a": [1, 2.0]}', '{"a": [1, 2.0001]}', 0.001, []),
        ('{"a": [1, 2.0]}', '{"a": [1, 2.1]}', 0.001, ["$.a[1] is 2.1, and 2.0 is expected"]),
        ('{"a": 1, "b": 2}', '{"a": 1, "c": 2}', 0.1, ["$.b is missing", "$.c is not expected"]),
        ('{"a": true}', '{"a": 1}', 0.1, ["$.a is 1, and true is expected"]),
        ("x,1.5\ny,2\n", "x,1.5001\ny,2\n", 0.001, []),
        ("x,1.5\n", "z,1.5\n", 0.001, ["line 1 is 'z,1.5', and 'x,1.5' is expected"]),
        ("x,1.5\n", "x,1.5\nx,1.6\n", 0.001, ["2 lines, and 1 are expected"]),
    ],
)
def test_how_files_differ(tmp_path: Path, expected: str, given: str, tolerance: float | None, differs: list[str]):
    """Byte for byte without a tolerance; with one, number for number in JSON and in text."""
    (tmp_path / "a").write_text(expected)
    (tmp_path / "b").write_text(given)
    assert unlike(tmp_path / "a", tmp_path / "b", tolerance) == differs


def test_how_folders_differ(tmp_path: Path):
    """What is missing, what is too much, and what in the rest differs."""
    for name, files in (("a", {"x": "1", "sub/y": "2", "only": "3"}), ("b", {"x": "1", "sub/y": "4", "more": "3"})):
        for path, text in files.items():
            (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / path).write_text(text)
    assert unlike(tmp_path / "a", tmp_path / "b") == [
        "only is missing",
        "more is not expected",
        "sub/y: other bytes (1, and 1 are expected)",
    ]
    assert unlike(tmp_path / "a", tmp_path / "b" / "x") == ["a file, and a folder is expected"]
