"""Volatile parts: published as they are, left out of what consumers compare."""

from __future__ import annotations

import pytest

from airflow_mlpipe.fingerprint.local import LocalIndex
from airflow_mlpipe.fingerprint.volatile import identity_of
from airflow_mlpipe.model import Volatile


@pytest.fixture
def identify(tmp_path):
    """Write files and identify the folder, or the file if it is one only."""

    def identify(files, *volatile):
        root = tmp_path / str(len(list(tmp_path.iterdir())))
        if isinstance(files, bytes):
            root.write_bytes(files)
        else:
            for path, data in files.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_bytes(data)
        content = LocalIndex(None).identify(root)
        return identity_of(content, root, volatile), content.digest

    return identify


def test_nothing_declared(identify):
    """Without volatile parts the identity is the digest."""
    identity, digest = identify({"a": b"1"})
    assert identity == digest


def test_nothing_matches(identify):
    """Where no file and no bytes match, the identity is the digest."""
    identity, digest = identify({"a": b"1"}, Volatile("*.yaml"), Volatile("a", pattern="xyz"))
    assert identity == digest


def test_whole_file(identify):
    """A file that is volatile as a whole counts by its name: its bytes do not, its absence does."""
    volatile = Volatile("MLmodel")
    first, digest = identify({"m/MLmodel": b"run 1", "m/data": b"x"}, volatile)
    assert first != digest
    assert identify({"m/MLmodel": b"another", "m/data": b"x"}, volatile)[0] == first
    assert identify({"m/data": b"x"}, volatile)[0] != first
    assert identify({"m/MLmodel": b"run 1", "m/data": b"y"}, volatile)[0] != first
    assert identify({"n/MLmodel": b"run 1", "n/data": b"x"}, volatile)[0] != first


def test_expression(identify):
    """What an expression matches is cut out; the rest of the file counts."""
    volatile = Volatile("*.yaml", pattern="run_id: [0-9a-f]+")
    first, _ = identify({"a.yaml": b"run_id: 12\nk: 1"}, volatile)
    assert identify({"a.yaml": b"run_id: ffff\nk: 1"}, volatile)[0] == first
    assert identify({"a.yaml": b"run_id: 12\nk: 2"}, volatile)[0] != first
    assert identify({"b.yaml": b"run_id: 12\nk: 1"}, volatile)[0] != first


def test_expression_on_bytes(identify):
    """Expressions work on binary files."""
    volatile = Volatile("*.pkl", pattern="\xff..")
    assert identify({"a.pkl": b"\x00\xffab"}, volatile)[0] == identify({"a.pkl": b"\x00\xffcd"}, volatile)[0]


def test_several_rules(identify):
    """Several expressions on one file all apply."""
    rules = (Volatile("a", pattern="x+"), Volatile("a", pattern="y+"))
    assert identify({"a": b"1x2y3"}, *rules)[0] == identify({"a": b"1xxx2yyy3"}, *rules)[0]


def test_a_single_file(identify, tmp_path):
    """A file output has volatile parts too."""
    volatile = Volatile("*", pattern="[0-9]+")
    assert identify(b"at 12", volatile)[0] == identify(b"at 999", volatile)[0]
    assert identify(b"at 12", volatile)[0] != identify(b"on 12", volatile)[0]
