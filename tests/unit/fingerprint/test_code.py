"""Snapshots of code: which bytes are shipped, which count, and what is refused."""

from __future__ import annotations

import pytest

from airflow_mlpipe.errors import ConfigurationError, DefinitionError, PathError
from airflow_mlpipe.fingerprint import code, imports
from airflow_mlpipe.fingerprint.code import code_identity, read_code
from airflow_mlpipe.model.step import CodeSpec


@pytest.fixture
def root(tmp_path):
    """A script, a module that it imports, and some files besides."""
    root = tmp_path / "src"
    (root / "__pycache__").mkdir(parents=True)
    (root / "main.py").write_bytes(b"import a\n")
    (root / "a.py").write_bytes(b"x = 1\n")
    (root / "other.txt").write_bytes(b"")
    (root / "__pycache__" / "a.pyc").write_bytes(b"")
    return root


def read(root, **options):
    return read_code(
        CodeSpec(root=str(root), entry=options.pop("entry", "main.py"), **options), cache_dir=root.parent / "c"
    )


def test_closure_mode(root):
    """By default the script and what it imports are shipped and count."""
    snapshot = read(root)
    assert {path: file.data for path, file in snapshot.files.items()} == {"a.py": b"x = 1\n", "main.py": b"import a\n"}
    assert list(code_identity(snapshot)) == ["a.py", "main.py"]


def test_spelling_of_the_script(root):
    """A script that is written with ``./`` is the same script; one above the folder is refused."""
    assert read(root, entry="./main.py") == read(root)
    (root.parent / "outside.py").write_bytes(b"")
    with pytest.raises(PathError):
        read(root, entry="../outside.py")


def test_directory_mode(root):
    """In mode directory every file that is not ignored counts."""
    assert list(code_identity(read(root, mode="directory"))) == ["a.py", "main.py", "other.txt"]


def test_version_mode(root):
    """In mode version every file is shipped and none counts."""
    snapshot = read(root, mode="version")
    assert list(snapshot.files) == ["a.py", "main.py", "other.txt"]
    assert code_identity(snapshot) == {}


def test_command_without_a_script(root):
    """Without a script there is nothing to follow: the whole folder counts."""
    assert list(code_identity(read(root, entry=None))) == ["a.py", "main.py", "other.txt"]


def test_editing_an_imported_module(root):
    """An edit of an imported module moves its digest; one of an unrelated file moves nothing."""
    before = code_identity(read(root))
    (root / "other.txt").write_bytes(b"changed")
    assert code_identity(read(root)) == before
    (root / "a.py").write_bytes(b"x = 2\n")
    after = code_identity(read(root))
    assert [path for path in before if before[path] != after[path]] == ["a.py"]


def test_line_ends_of_python(root):
    """A checkout with Windows line ends is the same code, and runs with the bytes it has; data keep their line ends."""
    before = code_identity(read(root, mode="directory"))
    (root / "a.py").write_bytes(b"x = 1\r\n")
    snapshot = read(root, mode="directory")
    assert code_identity(snapshot) == before
    assert snapshot.files["a.py"].data == b"x = 1\r\n"
    (root / "other.txt").write_bytes(b"\n")
    unix = code_identity(read(root, mode="directory"))
    (root / "other.txt").write_bytes(b"\r\n")
    assert code_identity(read(root, mode="directory")) != unix


def test_executable_bit(root):
    """The executable bit of code is kept and does not count."""
    before = code_identity(read(root))
    (root / "main.py").chmod(0o755)
    snapshot = read(root)
    assert snapshot.files["main.py"].executable
    assert not snapshot.files["a.py"].executable
    assert code_identity(snapshot) == before


def test_place_does_not_count(root):
    """A moved source folder is the same code."""
    before = code_identity(read(root))
    root.rename(root.parent / "moved")
    assert code_identity(read(root.parent / "moved")) == before


@pytest.mark.parametrize("mode", ["closure", "directory", "version"])
def test_link_out_of_the_folder(root, mode):
    """A link out of the source folder is refused: on another machine it would point elsewhere."""
    (root.parent / "outside.py").write_bytes(b"")
    (root / "a.py").unlink()
    (root / "a.py").symlink_to("../outside.py")
    with pytest.raises(PathError):
        read(root, mode=mode)


def test_link_inside_the_folder(root):
    """A link inside the folder counts as its content."""
    (root / "lib").mkdir()
    (root / "a.py").rename(root / "lib" / "real.py")
    (root / "a.py").symlink_to("lib/real.py")
    assert read(root).files["a.py"].data == b"x = 1\n"


def test_missing_folder_and_script(root):
    """A folder or a script that is not there is named."""
    with pytest.raises(DefinitionError, match="nowhere"):
        read(root / "nowhere")
    with pytest.raises(DefinitionError, match=r"missing\.py"):
        read(root, entry="missing.py")


def test_include_that_names_nothing(root):
    """A pattern that matches no file is an error, not a silent omission."""
    with pytest.raises(DefinitionError, match="conf"):
        read(root, include=("conf/*.yaml",))


def test_too_many_files(root, monkeypatch):
    """A folder that is too large to be code is refused before it is read, with its largest files and the fix."""
    monkeypatch.setattr(code, "MOST_FILES", 2)
    (root / "other.txt").write_bytes(b"0" * 2**20)
    with pytest.raises(ConfigurationError, match=r"other\.txt \(1\.0 MiB\).*mlpipeignore"):
        read(root, mode="directory")


def test_too_many_bytes(root, monkeypatch):
    """Bytes are limited like files."""
    monkeypatch.setattr(code, "MOST_BYTES", 10)
    with pytest.raises(ConfigurationError, match="3 files"):
        read(root, mode="directory")


def test_ignored_files_do_not_count_for_the_limit(root, monkeypatch):
    """What is ignored may be as large as it likes."""
    monkeypatch.setattr(code, "MOST_BYTES", 100)
    (root / "other.txt").write_bytes(b"0" * 1000)
    (root / ".mlpipeignore").write_text("*.txt\n")
    assert list(read(root, mode="directory").files) == ["a.py", "main.py"]


def test_parsing_is_remembered_on_disk(root, monkeypatch):
    """A new process does not parse a file that another one has parsed."""
    parsed = []
    real = imports.parse
    monkeypatch.setattr(imports, "parse", lambda data: parsed.append(data) or real(data))
    imports._seen.clear()
    first = read(root)
    imports._seen.clear()
    assert read(root) == first
    assert len(parsed) == 2


@pytest.mark.parametrize("junk", [b"", b"[]", b"{}", b'{"format": "x"}', b"\x80\xff\x00"])
def test_broken_memory_is_no_memory(root, junk):
    """Whatever stands in the cache, the closure is right."""
    imports._seen.clear()
    first = read(root)
    for file in (root.parent / "c" / "imports").iterdir():
        file.write_bytes(junk)
    imports._seen.clear()
    assert read(root) == first


IGNORED = {
    "plain": ("*.txt", {"a.txt": False, "b/a.txt": False, "a.py": True}),
    "anchored": ("/a.txt", {"a.txt": False, "b/a.txt": True}),
    "folder": ("data/", {"data/x": False, "b/data/x": False, "datax": True}),
    "negated": ("*.txt\n!keep.txt", {"a.txt": False, "keep.txt": True}),
    "default brought back": ("!*.pyc", {"a.pyc": True}),
    "comment": ("# x\n\n", {"a.txt": True}),
    "defaults": (
        "",
        {"a.pyc": False, "__pycache__/x": False, ".git/config": False, ".venv/x": False, "b/.DS_Store": False},
    ),
    "below an ignored folder": ("data/\n!data/keep", {"data/keep": False}),
    "two stars": ("a/**/x", {"a/x": False, "a/b/c/x": False, "x": True}),
}


@pytest.mark.parametrize(("patterns", "files"), IGNORED.values(), ids=IGNORED)
def test_ignore(tmp_path, patterns, files):
    """``.mlpipeignore`` has the rules of gitignore."""
    for path in files:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / ".mlpipeignore").write_text(patterns)
    found = read_code(CodeSpec(root=str(tmp_path), entry=None, mode="directory")).files
    assert {path: path in found for path in files} == files


def test_nested_ignore_files(tmp_path):
    """A deeper ignore file overrides one above it, for its folder only."""
    for path in ("a.txt", "sub/a.txt", "sub/b.log", "b.log"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / ".mlpipeignore").write_text("*.txt")
    (tmp_path / "sub" / ".mlpipeignore").write_text("!a.txt\n*.log")
    found = read_code(CodeSpec(root=str(tmp_path), entry=None, mode="directory")).files
    assert list(found) == ["b.log", "sub/a.txt"]


def test_azure_mls_ignore_file_counts_where_there_is_none_of_ours(tmp_path):
    """And neither of them is code."""
    for path in ("a.txt", "b.log", "sub/a.txt", "sub/b.log"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / ".amlignore").write_text("*.txt")
    (tmp_path / "sub" / ".amlignore").write_text("*.log")
    (tmp_path / "sub" / ".mlpipeignore").write_text("!a.txt")
    found = read_code(CodeSpec(root=str(tmp_path), entry=None, mode="directory")).files
    assert list(found) == ["b.log", "sub/a.txt", "sub/b.log"]


def test_ignore_file_that_is_no_text(tmp_path):
    """An ignore file that cannot be read as text is an error that names it."""
    (tmp_path / ".mlpipeignore").write_bytes(b"\xff")
    with pytest.raises(DefinitionError, match=r"mlpipeignore"):
        read_code(CodeSpec(root=str(tmp_path), entry=None, mode="directory"))
