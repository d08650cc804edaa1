"""What the files of a transfer are, in one digest."""

from __future__ import annotations

from support.transfers import write

from airflow_mlpipe.fingerprint.digest import digest_bytes
from airflow_mlpipe.fingerprint.local import LocalIndex
from airflow_mlpipe.transfer.identity import digest_of, identity_of

FILES = {"a": "1", "b/c/d": "22", "b/e": "3", "f/g": "4"}


def contents(files):
    """By path."""
    return {path: (len(text), digest_bytes(text.encode())) for path, text in files.items()}


def test_the_digest_of_a_folder_is_that_which_the_same_folder_has_on_disk(tmp_path):
    """So that it can be compared with that of any other output."""
    write(tmp_path, FILES, old=False)
    assert digest_of(contents(FILES), "folder") == LocalIndex(None).digest_of(tmp_path)


def test_the_digest_of_a_file_is_that_of_its_bytes():
    """Whatever its name."""
    assert digest_of(contents({"x": "1"}), "file") == digest_bytes(b"1")


def test_each_path_size_and_content_moves_the_identity():
    """And the order of the files does not."""
    base = contents(FILES)
    others = [
        contents({**FILES, "a": "2"}),
        contents({name: text for name, text in FILES.items() if name != "a"}),
        contents({("z" if name == "a" else name): text for name, text in FILES.items()}),
        {**base, "a": (2, base["a"][1])},
        {**base, "a": (1, "tag:x")},
    ]
    digests = {identity_of(files, "folder").digest for files in (base, *others)}
    assert len(digests) == 6
    assert identity_of(dict(reversed(base.items())), "folder") == identity_of(base, "folder")


def test_what_nobody_read_has_no_digest_of_bytes():
    """A server copied it, and its tag stands for it."""
    files = {"a": (1, "tag:e:1")}
    assert digest_of(files, "folder").startswith("listing:")
    assert identity_of(files, "folder").rung == "etag"
