"""Reading ``module.yaml``."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
from support.modules import write_module

from airflow_mlpipe.errors import CorruptedError, DefinitionError
from airflow_mlpipe.modules.definition import ModuleDefinition
from airflow_mlpipe.modules.reading import parse_module, read_module
from airflow_mlpipe.modules.types import PortType
from airflow_mlpipe.written.mistakes import WrittenError

HEAD = "api: mlpipe/module/v1\nname: m\nversion: 1.10\n"


def mistakes(text: str, folder: Path | None = None) -> list[str]:
    """What is wrong with a file."""
    with pytest.raises(WrittenError) as caught:
        parse_module(dedent(text), file="module.yaml", folder=folder)
    return [str(one) for one in caught.value.mistakes]


def test_a_module_is_read(tmp_path: Path):
    """Ports, parameters and program, in the order of the file."""
    found = read_module(write_module(tmp_path / "scale"))
    assert (found.name, found.version, found.kind, found.script) == ("scale", "1.0", "script", "scale.py")
    assert [(p.name, str(p.type), p.optional) for p in found.inputs] == [
        ("numbers", "table.txt (file)", False),
        ("shift", "file", True),
    ]
    assert [(p.name, p.type, p.filename) for p in found.outputs] == [
        ("scaled", PortType("table.txt", "folder"), None),
        ("total", PortType("metrics", "file"), "total.json"),
    ]
    assert found.arguments[4] == ("--shift", "${inputs.shift}")
    assert found.deterministic


def test_a_definition_comes_back_from_its_document(tmp_path: Path):
    """What a library keeps says all of it."""
    text = """
        environment: {requirements: r.txt, python: 3.12, variables: {A: b}, pass_variables: [C]}
        resources: {cpu: 2, memory: 1Gi, gpu: {count: 1, kind: a100}}
        tags: [x, y]
        licence: MIT
        deterministic: false
        outputs: {o: model.onnx}
        params: {a: {type: array, items: {type: integer}, default: [1]}, b: {}}
        command: [bash, -c, "echo ${HOME} $${inputs.x}", [--b, "${params.b}"], 3]
        """
    found = parse_module(HEAD + dedent(text), file="f")
    assert found.environment is not None
    assert found.environment.python == "3.12"
    assert ModuleDefinition.from_json(found.to_json(), where="here") == found


def test_a_version_is_its_text():
    """1.10 is not 1.1."""
    assert parse_module(HEAD + "script: x.py\n", file="f").version == "1.10"


def test_a_member_without_a_value_is_not_there():
    """The definition is the same one."""
    empty = "description:\ntags:\nsource:\ncode:\ndeterministic:\narguments:\nenvironment:\nresources:\n"
    assert parse_module(HEAD + "script: x.py\n" + empty, file="f") == parse_module(HEAD + "script: x.py\n", file="f")


def test_requirements_lie_in_the_folder_of_the_module():
    """What lies elsewhere is not published with it."""
    found = mistakes(HEAD + "script: x.py\nenvironment: {requirements: ../r.txt}\n")
    assert "line 5: environment.requirements: the path leaves its root" in found[0]


def test_every_mistake_is_told_with_its_line():
    """Each where it is, the whole file at once."""
    text = HEAD + dedent("""
        descripton: x
        inputs:
          a: Tabel
          b c: any
          c: {type: table, kind: thing}
        outputs:
          d: {type: folder, filename: x.csv}
        params:
          p: {type: integr}
          q: {type: integer, default: x}
        script: ../x.py
        arguments: [--a, "${inputs.z}", "${input.a}", "x${inputs.a}", "{{ ds }}", {}]
        deterministic: yes
        resources: {cpu: 0}
        environment: {image: a, requirements: b}
        """)
    found = mistakes(text)
    assert [one.partition(":")[0] for one in found] == [
        f"line {n}" for n in (5, 7, 8, 9, 11, 13, 14, 15, 16, 16, 16, 16, 16, 17, 18, 19)
    ]
    assert "descripton: a module has no such member. fix: did you mean 'description'?" in found[0]
    assert "the module has no input 'z'. valid: 'a', 'b c', 'c'" in " ".join(found)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "a module is a mapping"),
        ("api: mlpipe/module/v2\nname: x", "the version of the format"),
        (HEAD, "one of script, command, function and steps"),
        (HEAD + "script: a.py\ncommand: [a]\n", "one of script, command, function and steps"),
        (HEAD + "command: []\n", "the command is empty"),
        (HEAD + "command: echo hi\n", "no shell reads it"),
        (HEAD + "command: [a]\narguments: [b]\n", "a command has its arguments in itself"),
        (HEAD + "function: a.py\n", "a function and its file"),
        (HEAD.replace("1.10", "one") + "script: a.py\n", "not a version"),
        (HEAD.replace("name: m", "name: My Module") + "script: a.py\n", "not a module's name"),
        (HEAD + "inputs: {a: {optional: true}}\nscript: a.py\narguments: ['${inputs.a}']\n", "may not be there"),
        (HEAD + "params: {a: {default: null}}\nscript: a.py\narguments: ['${params.a}']\n", "may not be there"),
        (
            HEAD + "script: a.py\ncode: version\n",
            "code: not one of these. given: 'version'. valid: 'closure', 'directory'",
        ),
    ],
)
def test_what_is_no_module_is_refused(text: str, what: str):
    """In words."""
    assert what in " ".join(mistakes(text))


def test_files_that_are_not_there_are_mistakes(tmp_path: Path):
    """The script, the source folder and the requirements."""
    text = HEAD + "script: b.py\nenvironment: {requirements: r.txt}\n"
    (tmp_path / "a.py").touch()
    found = mistakes(text, tmp_path)
    assert "line 4: script: there is no such file" in found[0]
    assert "'a.py'" in found[0]
    assert "line 5: environment.requirements: there is no such file" in found[1]
    assert "source: there is no such folder" in mistakes(HEAD + "script: b.py\nsource: src\n", tmp_path)[0]


def test_a_folder_without_a_module_says_how_to_make_one(tmp_path: Path):
    """Not only that it is not there."""
    with pytest.raises(DefinitionError, match="module init"):
        read_module(tmp_path)


@pytest.mark.parametrize("member", ["name", "inputs", "params", "kind"])
def test_a_document_without_a_member_is_corrupted(member: str):
    """It is never guessed what it meant."""
    members = parse_module(HEAD + "script: x.py\n", file="f").to_json()
    del members[member]
    with pytest.raises(CorruptedError):
        ModuleDefinition.from_json(members, where="here")
