"""Identities of objects and of inputs: one rung for a listing, nothing of where the objects are."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fingerprint_golden import check

from airflow_mlpipe.errors import InputError
from airflow_mlpipe.fingerprint.identity import ContentIdentity, many
from airflow_mlpipe.fingerprint.local import LocalIndex
from airflow_mlpipe.fingerprint.objects import identify_objects
from airflow_mlpipe.model.reference import OutputReference
from airflow_mlpipe.store.base import ObjectInfo

A = ObjectInfo("raw/a", 1, 100.0, "e1", "v1")
B = ObjectInfo("raw/b/c", 2, 200.0, "e2", "v2")


def without(info, *names):
    return ObjectInfo(
        info.key,
        info.size,
        info.modified,
        None if "etag" in names else info.etag,
        None if "version" in names else info.version,
    )


def test_golden_vectors():
    """The identities of some listings are those that are written down."""
    found = {
        "version": identify_objects([A, B], root="raw", kind="folder"),
        "etag": identify_objects([without(A, "version"), B], root="raw", kind="folder"),
        "mtime": identify_objects([without(A, "version", "etag"), B], root="raw", kind="folder"),
        "file": identify_objects([A], root="raw/a", kind="file"),
        "nothing": identify_objects([], root="raw", kind="folder"),
        "declared": ContentIdentity.declared("folder", "2026-01"),
    }
    found["many"] = many(found.values())
    check("identity", {name: identity.to_json() for name, identity in found.items()})


def test_the_weakest_object_decides_the_rung():
    """One object without a version id puts the whole listing on the next rung."""
    assert identify_objects([A, B], root="raw", kind="folder").rung == "version"
    assert identify_objects([A, without(B, "version")], root="raw", kind="folder").rung == "etag"
    assert identify_objects([A, without(B, "version", "etag")], root="raw", kind="folder").rung == "mtime"


def test_version_null_is_no_version():
    """S3's version "null" of a bucket without versions does not count as one: an overwrite keeps it."""
    info = ObjectInfo("raw/a", 1, 100.0, "e1", "null")
    assert identify_objects([info], root="raw/a", kind="file").rung == "etag"


def test_order_does_not_count():
    """A store may list in any order."""
    assert identify_objects([A, B], root="raw", kind="folder") == identify_objects([B, A], root="raw", kind="folder")


def test_place_does_not_count():
    """The same objects under another prefix are the same content."""
    moved = [ObjectInfo(i.key.replace("raw/", "x/y/"), i.size, i.modified, i.etag, i.version) for i in (A, B)]
    digest = identify_objects(moved, root="x/y", kind="folder").digest
    assert digest == identify_objects([A, B], root="raw", kind="folder").digest


@given(st.sampled_from(["key", "size", "etag"]), st.text("abc123", min_size=1, max_size=4))
def test_what_counts(member, value):
    """Another name, size or ETag of one object is another identity."""
    a = without(A, "version")
    changed = {
        "key": ObjectInfo(f"raw/{value}x", a.size, a.modified, a.etag),
        "size": ObjectInfo(a.key, a.size + len(value), a.modified, a.etag),
        "etag": ObjectInfo(a.key, a.size, a.modified, f"{value}x"),
    }[member]
    before, after = (identify_objects([i], root="raw", kind="folder") for i in (a, changed))
    assert before.digest != after.digest


def test_time_counts_only_on_its_rung():
    """The modification time does not count where there is something stronger."""
    later = ObjectInfo(A.key, A.size, 999.0, A.etag, A.version)
    assert identify_objects([A], root="raw", kind="folder") == identify_objects([later], root="raw", kind="folder")
    weak = [without(i, "version", "etag") for i in (A, later)]
    assert len({identify_objects([i], root="raw", kind="folder").digest for i in weak}) == 2


def test_a_file_is_one_object():
    """A file that is no object, or several, is an error."""
    with pytest.raises(InputError, match="0 objects"):
        identify_objects([], root="raw/a", kind="file")
    with pytest.raises(InputError, match="2 objects"):
        identify_objects([A, B], root="raw", kind="file")


def test_object_outside_the_folder():
    """An object that the listing should not hold is an error, not a strange name."""
    with pytest.raises(InputError, match="outside"):
        identify_objects([ObjectInfo("rawx/a", 1, 1.0, "e")], root="raw", kind="folder")


def test_file_name_counts():
    """Of a file input, the name that programs see is part of the identity."""
    a = identify_objects([A], root="raw/a", kind="file")
    renamed = identify_objects([ObjectInfo("raw/z", A.size, A.modified, A.etag, A.version)], root="raw/z", kind="file")
    assert a.digest == renamed.digest
    assert a.deciding != renamed.deciding


def test_json_round_trip():
    """An identity that is written and read back is the same."""
    for identity in (identify_objects([A, B], root="raw", kind="folder"), ContentIdentity.declared("file", "1")):
        assert ContentIdentity.from_json(json.loads(json.dumps(identity.to_json()))) == identity


def test_local_members_name_files_and_empty_folders(tmp_path):
    """Members tell which file differs: bytes, the executable bit and empty folders included."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c").write_bytes(b"1")
    (tmp_path / "x").write_bytes(b"1")
    (tmp_path / "x").chmod(0o755)
    members = ContentIdentity.of_local(LocalIndex(None).identify(tmp_path)).members
    assert members is not None
    assert sorted(members) == ["b/c", "empty/", "x"]
    assert members["x"] == members["b/c"] + "x"


def test_members_are_capped(tmp_path, monkeypatch):
    """Of a folder with more files, only the first level is named."""
    (tmp_path / "many").mkdir()
    monkeypatch.setattr("airflow_mlpipe.fingerprint.identity.MOST_MEMBERS", 5)
    for n in range(6):
        (tmp_path / "many" / str(n)).touch()
    members = ContentIdentity.of_local(LocalIndex(None).identify(tmp_path)).members
    assert members is not None
    assert list(members) == ["many/"]


def test_published_output_is_what_it_was():
    """A folder published by us and the same folder on disk have one identity, so moving data changes nothing."""
    reference = OutputReference(
        name="o", kind="folder", digest="tree:1", identity="volatile:2", datastore="", uri="x", size=1, files=1
    )
    assert ContentIdentity.of_reference(reference).digest == "volatile:2"


def test_order_of_many_counts():
    """A fan-in is an ordered list: the same members in another order are another input."""
    a, b = ContentIdentity.declared("file", "1"), ContentIdentity.declared("file", "2")
    assert many([a, b]).digest != many([b, a]).digest
    assert many([a]).digest != many([a, a]).digest
