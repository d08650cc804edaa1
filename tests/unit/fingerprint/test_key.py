"""Fingerprints: every field moves them, and nothing else does."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fingerprint_golden import check
from support.fingerprint_keys import MOVES, RAW, SNAPSHOT, SPEC, changed, key, with_output

from airflow_mlpipe.errors import CorruptedError, UncacheableError, WorkspaceVersionError
from airflow_mlpipe.fingerprint.key import KeyDocument, build_key, operator_key
from airflow_mlpipe.model import Gpu, Resources, Reuse
from airflow_mlpipe.model.code import CodeFile
from airflow_mlpipe.model.step import CodeSpec, StepSpec, Template, Text


def test_golden_vectors():
    """The documents and fingerprints of some steps are those that are written down."""
    keys = {
        "script": key(),
        "smallest": build_key(StepSpec(label="x", kind="command"), snapshot=None, inputs={}, environment={}),
        "operator": operator_key("a.b.BashOperator", fields={"bash_command": "ls"}, params={"n": 1}, outputs={"o": {}}),
    }
    check("key", {name: {"fingerprint": k.fingerprint, "document": k.to_json()} for name, k in keys.items()})


@pytest.mark.parametrize("moved", MOVES.values(), ids=MOVES)
def test_every_field_moves_the_fingerprint(moved):
    """A change of anything that may change a result is another fingerprint."""
    assert moved.fingerprint != key().fingerprint


def test_all_moves_differ():
    """No two different changes come to one fingerprint."""
    assert len({k.fingerprint for k in MOVES.values()}) == len(MOVES)


STAYS = {
    "label": key(changed(label="other/task")),
    "place of the code": key(changed(code=CodeSpec(root="/elsewhere", entry="main.py"))),
    "file that does not count": key(
        snapshot=dataclasses.replace(SNAPSHOT, files={**SNAPSHOT.files, "x": CodeFile(data=b"new")})
    ),
    "executable code": key(
        snapshot=dataclasses.replace(SNAPSHOT, files={"main.py": CodeFile(data=b"1", executable=True)})
    ),
    "compute target": key(changed(compute_target="gpu")),
    "resources": key(changed(resources=Resources(cpu=4, memory="16Gi", gpu=Gpu(1)))),
    "policy": key(changed(reuse=Reuse("refresh"))),
    "order of parameters": key(changed(parameters={"names": ["a", "b"], "epochs": 3})),
    "tuple for list": key(changed(parameters={"epochs": 3, "names": ("a", "b")})),
    "how an argument was written": key(
        changed(command=(*SPEC.command[:2], Text("{{ params['lr'] }}", "0.1"), SPEC.command[3]))
    ),
    "what is only shown of an input": key(
        inputs={"raw": dataclasses.replace(RAW, size=6, files=3, members={"a": "1"})}
    ),
    "place of an output": key(with_output(path="scores/{run}")),
}


@pytest.mark.parametrize("same", STAYS.values(), ids=STAYS)
def test_nothing_else_moves_it(same):
    """What cannot change a result does not count."""
    assert same.fingerprint == key().fingerprint


VALUES = [1, "1", True, 1.0, None, "", 0, False, 0.0, -0.0, "True", [1], ["1"], {}, [], "null"]


@pytest.mark.parametrize("where", ["parameters", "templated_params"])
def test_types_of_parameters_count(where):
    """1, "1", True and 1.0 are four fingerprints, wherever the parameter comes from."""
    if where == "parameters":
        found = {key(changed(parameters={"p": value})).fingerprint for value in VALUES}
    else:
        found = {key(templated_params={"p": value}).fingerprint for value in VALUES}
    assert len(found) == len(VALUES)


@given(st.dictionaries(st.text("abxy", min_size=1, max_size=3), st.text("12,yx", max_size=4), max_size=3), st.data())
def test_parameters_are_not_joined(parameters, data):
    """Different parameters are different fingerprints, however their texts run together."""
    other = data.draw(
        st.dictionaries(st.text("abxy", min_size=1, max_size=3), st.text("12,yx", max_size=4), max_size=3)
    )
    a, b = (key(changed(parameters=p)).fingerprint for p in (parameters, other))
    assert (a == b) == (parameters == other)


def test_fingerprint_form():
    """A fingerprint says its scheme and has 64 hex digits."""
    scheme, _, number = key().fingerprint.partition(":")
    assert scheme == "mlp1"
    assert len(bytes.fromhex(number)) == 32


def test_round_trip():
    """A document that is stored and read back has the same fingerprint."""
    before = key(
        changed(parameters={"f": 1.0, "z": -0.0, "n": float("nan"), "big": 2**70, "s": {1, 2}, "ä": "\U0001f600"})
    )
    after = KeyDocument.from_json(json.loads(json.dumps(before.to_json())))
    assert after == before
    assert after.fingerprint == before.fingerprint


@pytest.mark.parametrize("document", [None, [], {}, {"mlpipe": "key/1"}, {"mlpipe": "record/1"}])
def test_nonsense_is_corrupted(document):
    """A document that is no key is corrupted."""
    with pytest.raises(CorruptedError):
        KeyDocument.from_json(document)


def test_newer_document():
    """A key of a newer version is refused."""
    with pytest.raises(WorkspaceVersionError):
        KeyDocument.from_json({"mlpipe": "key/2"})


def test_uncacheable_parameter():
    """A value without a canonical form is named with its place."""
    with pytest.raises(UncacheableError) as caught:
        key(changed(parameters={"model": [0, object()]}))
    assert caught.value.path == "params.model[1]"


def test_a_template_counts_by_its_text():
    """What stands for a value that may not be hashed counts itself, and is not the same as that text."""
    found = {
        key(changed(command=(Text(text, value),))).fingerprint
        for text, value in (
            ("{{ params.a }}", Template("{{ params.a }}")),
            ("{{ params.b }}", Template("{{ params.b }}")),
            ("{{ params.a }}", "{{ params.a }}"),
        )
    }
    found |= {key(changed(parameters={"p": value})).fingerprint for value in (Template("x"), "x")}
    assert len(found) == 5


def test_own_and_run_parameter_of_one_name():
    """A step's parameter and a run parameter of one name both count."""
    own = changed(parameters={"lr": 1})
    found = {key(own, templated_params={"lr": n}).fingerprint for n in (1, 2)}
    found |= {key(changed(parameters={"lr": 2}), templated_params={"lr": 1}).fingerprint}
    assert len(found) == 3


def test_operator_fields():
    """The fields, code, inputs, parameters, outputs and version of a foreign operator all count."""
    base = {"kind": "a.B", "fields": {"sql": "select 1"}}
    variants = [
        base,
        {**base, "kind": "a.C"},
        {**base, "fields": {"sql": "select 2"}},
        {**base, "fields": {"sql": "select 1", "x": None}},
        {**base, "code": {"f": "sha256:1"}},
        {**base, "inputs": {"raw": RAW}},
        {**base, "params": {"sql": "select 1"}},
        {**base, "outputs": {"o": {"kind": "file"}}},
        {**base, "environment": {"python": "3"}},
        {**base, "version": "1"},
        {**base, "salt": "1"},
    ]
    assert len({operator_key(v.pop("kind"), **v).fingerprint for v in map(dict, variants)}) == len(variants)


def test_operator_field_without_a_form():
    """A field of a foreign operator that has no canonical form is named."""
    with pytest.raises(UncacheableError) as caught:
        operator_key("a.B", fields={"hook": {"x": len}})
    assert caught.value.path == "fields.hook.x"


def test_the_process_does_not_count():
    """Hash seed, locale and time zone do not change a fingerprint."""
    program = (
        "from airflow_mlpipe.fingerprint.key import operator_key as k\n"
        "print(k('a', fields={'f': {'a', 'b', 'c'}}, params={'x': 1.5, 'y': 'ä'}, code={'b': '1'}).fingerprint)"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "LC_ALL": locale, "TZ": zone, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            check=True,
        ).stdout
        for seed, locale, zone in [("0", "C", "UTC"), ("1", "de_DE.UTF-8", "Asia/Tokyo")]
    }
    assert len(found) == 1


def test_the_kernel_imports_no_airflow():
    """Everything that makes a fingerprint works without importing Airflow, or a library of patterns."""
    program = (
        "import sys, airflow_mlpipe.fingerprint.key, airflow_mlpipe.fingerprint.reasons\n"
        "import airflow_mlpipe.fingerprint.environment, airflow_mlpipe.fingerprint.objects\n"
        "print({m.partition('.')[0] for m in sys.modules} & {'airflow', 'pathspec', 'fsspec', 'numpy'})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True, check=True
    )
    assert done.stdout.strip() == b"set()"
