"""A step's key, and a key for each change that must move its fingerprint."""

from __future__ import annotations

import dataclasses

from airflow_mlpipe.fingerprint.identity import ContentIdentity
from airflow_mlpipe.fingerprint.key import build_key
from airflow_mlpipe.model import Environment, PipelineData, Reuse, Secret, Volatile
from airflow_mlpipe.model.code import CodeFile, CodeSnapshot
from airflow_mlpipe.model.step import CodeSpec, InputPath, OutputPath, OutputPort, StepSpec, Text

SNAPSHOT = CodeSnapshot(
    files={"main.py": CodeFile(data=b"1"), "x": CodeFile(data=b"2")}, counted=frozenset({"main.py"})
)
RAW = ContentIdentity(kind="folder", digest="tree:1", size=5, files=2)
ENVIRONMENT = {"python": "cpython-3.11", "variables": {"A": "1"}}
SPEC = StepSpec(
    label="dag/task",
    kind="script",
    code=CodeSpec(root="/somewhere", entry="main.py"),
    command=(Text("--in", "--in"), InputPath("raw"), Text("{{ params.lr }}", "0.1"), OutputPath("model")),
    parameters={"epochs": 3, "names": ["a", "b"]},
    outputs=(OutputPort(data=PipelineData("model")),),
    environment=Environment(variables={"A": "1"}),
    secrets={"TOKEN": Secret(variable="token")},
)


def key(spec=SPEC, **options):
    """The key of the step, with other arguments of ``build_key``."""
    defaults = {
        "snapshot": SNAPSHOT,
        "inputs": {"raw": RAW},
        "environment": ENVIRONMENT,
        "templated_params": {"lr": 0.1},
    }
    return build_key(spec, **{**defaults, **options})


def changed(**members):
    """The step with other members."""
    return dataclasses.replace(SPEC, **members)


def with_output(**options):
    """The step with other options of its output."""
    return changed(outputs=(OutputPort(data=PipelineData("model", **options)),))


SNAPSHOT_2 = CodeSnapshot(files={"main.py": CodeFile(data=b"2")}, counted=frozenset({"main.py"}))
RENAMED = CodeSnapshot(files={"a.py": CodeFile(data=b"1")}, counted=frozenset({"a.py"}))

MOVES = {
    "kind of step": key(changed(kind="command")),
    "bytes of code": key(snapshot=SNAPSHOT_2),
    "names of code": key(snapshot=RENAMED),
    "entry": key(changed(code=CodeSpec(root="/somewhere", entry="x"))),
    "no code": key(changed(code=None), snapshot=None),
    "an argument": key(changed(command=(Text("--out", "--out"), *SPEC.command[1:]))),
    "type of an argument": key(changed(command=(*SPEC.command[:2], Text("{{ params.lr }}", 0.1), SPEC.command[3]))),
    "order of arguments": key(changed(command=SPEC.command[::-1])),
    "input as text": key(changed(command=(SPEC.command[0], Text("raw", "raw"), *SPEC.command[2:]))),
    "input as output": key(changed(command=(SPEC.command[0], OutputPath("raw"), *SPEC.command[2:]))),
    "joined arguments": key(changed(command=(Text("--in,raw", "--in,raw"), *SPEC.command[2:]))),
    "a parameter": key(changed(parameters={"epochs": 4, "names": ["a", "b"]})),
    "parameter as text": key(changed(parameters={"epochs": "3", "names": ["a", "b"]})),
    "parameter as float": key(changed(parameters={"epochs": 3.0, "names": ["a", "b"]})),
    "joined list": key(changed(parameters={"epochs": 3, "names": ["a,b"]})),
    "parameter removed": key(changed(parameters={"epochs": 3})),
    "run parameter": key(templated_params={"lr": 0.2}),
    "type of a run parameter": key(templated_params={"lr": "0.1"}),
    "bytes of an input": key(inputs={"raw": dataclasses.replace(RAW, digest="tree:2")}),
    "kind of an input": key(inputs={"raw": dataclasses.replace(RAW, kind="many")}),
    "name of an input": key(inputs={"other": RAW}),
    "absent input": key(inputs={}),
    "another input": key(inputs={"raw": RAW, "more": RAW}),
    "name of an output": key(changed(outputs=(OutputPort(data=PipelineData("other")),))),
    "kind of an output": key(with_output(kind="file")),
    "file name of an output": key(with_output(kind="file", filename="m.bin")),
    "optional output": key(with_output(optional=True)),
    "volatile parts": key(with_output(volatile=(Volatile("MLmodel"),))),
    "no output": key(changed(outputs=())),
    "Python": key(environment={**ENVIRONMENT, "python": "cpython-3.12"}),
    "a variable": key(environment={**ENVIRONMENT, "variables": {"A": "2"}}),
    "absent variable": key(environment={**ENVIRONMENT, "variables": {"A": None}}),
    "sorted listings": key(changed(sorted_listings=False)),
    "reference of a secret": key(changed(secrets={"TOKEN": Secret(variable="other")})),
    "name of a secret": key(changed(secrets={"OTHER": Secret(variable="token")})),
    "version": key(changed(reuse=Reuse(version="2"))),
    "salt": key(salt="pepper"),
}
