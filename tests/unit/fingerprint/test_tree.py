"""Trees: folders as values, one canonical form each, compared in O(changes)."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fingerprint_golden import check

from airflow_mlpipe.errors import CorruptedError, PathError, WorkspaceVersionError
from airflow_mlpipe.fingerprint.digest import digest_bytes
from airflow_mlpipe.fingerprint.tree import Tree, TreeDiff, TreeEntry, diff, walk


def file(name, data=b"", executable=False):
    return TreeEntry(name=name, kind="file", executable=executable, size=len(data), digest=digest_bytes(data))


class Store:
    """Trees by digest; says which were asked for."""

    def __init__(self):
        self.trees = {}
        self.loaded = []

    def put(self, nested):
        entries = [
            self.put(value).as_entry(name) if isinstance(value, dict) else file(name, value)
            for name, value in nested.items()
        ]
        tree = Tree(tuple(entries))
        self.trees[tree.digest] = tree
        return tree

    def load(self, digest):
        self.loaded.append(digest)
        return self.trees[digest]


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=6).filter(
    lambda n: n not in (".", "..")
)
NESTED = st.recursive(
    st.dictionaries(NAMES, st.binary(max_size=3), max_size=4),
    lambda inner: st.dictionaries(NAMES, st.binary(max_size=3) | inner, max_size=4),
    max_leaves=10,
)


def leaves(nested, prefix=""):
    """Paths and values of a nested dict, empty folders included."""
    for name, value in nested.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{prefix}{name}/")
        elif isinstance(value, dict):
            yield f"{prefix}{name}/", None
        else:
            yield prefix + name, value


def test_golden_vectors():
    """The documents and digests of some trees are those that are written down."""
    store = Store()
    trees = {
        "empty": Tree(),
        "one file": Tree((file("a", b"1"),)),
        "executable": Tree((file("a", b"1", True),)),
        "nested": store.put({"ä": b"1", "b": {"c": b"2", "empty": {}}}),
    }
    check("tree", {name: {"digest": t.digest, "document": json.loads(t.to_bytes())} for name, t in trees.items()})


@given(NESTED)
def test_round_trip(nested):
    """A tree that is written and read back is the same tree."""
    tree = Store().put(nested)
    assert Tree.from_bytes(tree.to_bytes()) == tree


@given(NESTED, NESTED)
def test_equal_digests_mean_equal_folders(a, b):
    """Two folders have one digest exactly when all their names and bytes are the same."""
    assert (Store().put(a).digest == Store().put(b).digest) == (
        dict(leaves(a)) == dict(leaves(b)) and bool(a) == bool(b)
    )


@given(NESTED)
def test_order_does_not_count(nested):
    """The order in which a system lists a folder is not in the digest."""
    assert Store().put(nested).digest == Store().put(dict(reversed(nested.items()))).digest


@given(NESTED)
def test_totals(nested):
    """Size and number of files are those of everything below."""
    tree = Store().put(nested)
    values = [v for _, v in leaves(nested) if v is not None]
    assert (tree.files, tree.size) == (len(values), sum(map(len, values)))


@given(NESTED, NESTED)
def test_diff_is_the_difference(a, b):
    """A diff names exactly what was added, removed and changed."""
    store = Store()
    found = diff(store.put(a), store.put(b), store.load)
    before, after = dict(leaves(a)), dict(leaves(b))
    assert found.added == tuple(sorted(after.keys() - before.keys()))
    assert found.removed == tuple(sorted(before.keys() - after.keys()))
    assert found.changed == tuple(sorted(p for p in before.keys() & after.keys() if before[p] != after[p]))


def test_a_folder_that_becomes_empty_is_named_itself():
    """Its last member is removed and the empty folder is added, and the other way round."""
    store = Store()
    full, empty = store.put({"a": {"x": b""}}), store.put({"a": {}})
    assert diff(full, empty, store.load) == TreeDiff(removed=("a/x",), added=("a/",))
    assert diff(empty, full, store.load) == TreeDiff(removed=("a/",), added=("a/x",))


def test_diff_loads_only_what_changed():
    """Of a thousand folders, the diff of one change loads two trees."""
    store = Store()
    before = {f"d{i}": {"a": b"%d" % i} for i in range(1000)}
    after = before | {"d7": {"a": b"new"}}
    assert diff(store.put(before), store.put(after), store.load) == TreeDiff(changed=("d7/a",))
    assert len(store.loaded) == 2


def test_a_file_that_becomes_a_folder():
    """It is removed as a file and its members are added."""
    store = Store()
    found = diff(store.put({"a": b""}), store.put({"a": {"b": b""}}), store.load)
    assert found == TreeDiff(added=("a/b",), removed=("a",))


def test_walk_goes_down():
    """A walk gives relative paths, folders before their members."""
    store = Store()
    tree = store.put({"b": {"c": b""}, "a": b""})
    assert [path for path, _ in walk(tree, store.load)] == ["a", "b", "b/c"]


def test_swapped_contents_differ():
    """Two files that exchange their contents are another folder."""
    assert Store().put({"a": b"1", "b": b"2"}).digest != Store().put({"a": b"2", "b": b"1"}).digest


def test_an_empty_folder_counts():
    """A folder with an empty folder in it is not the same as one without."""
    assert Store().put({"a": {}}).digest != Store().put({}).digest


def test_executable_bit_counts():
    """The executable bit of a file is part of its folder."""
    assert Tree((file("a"),)).digest != Tree((file("a", executable=True),)).digest


def test_tree_digest_is_not_that_of_its_bytes():
    """A file with the bytes of a tree's document does not have the tree's digest."""
    tree = Tree()
    assert tree.digest.partition(":")[2] != digest_bytes(tree.to_bytes()).partition(":")[2]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0", "\udcff"])
def test_bad_names(name):
    """A name that cannot be a file's everywhere is refused."""
    with pytest.raises(PathError):
        Tree((file(name),))


def test_double_names():
    """Two members of one name are refused."""
    with pytest.raises(PathError):
        Tree((file("a"), file("a", b"1")))


ROW = ["a", "file", False, 0, 1, digest_bytes(b"")]


@pytest.mark.parametrize(
    "entries",
    [
        None,
        [[]],
        [ROW[:5]],
        [["b", *ROW[1:]], ROW],
        [ROW, ROW],
        [["../x", *ROW[1:]]],
        [["a", "socket", *ROW[2:]]],
        [["a", "folder", *ROW[2:]]],
        [["a", "file", 1, *ROW[3:]]],
        [["a", "file", False, -1, *ROW[4:]]],
        [["a", "file", False, True, *ROW[4:]]],
        [[*ROW[:5], "sha256:zz"]],
        [[*ROW[:5], Tree().digest]],
    ],
)
def test_nonsense_is_corrupted(entries):
    """A document that no tree is written as is corrupted: it is never half understood."""
    with pytest.raises(CorruptedError):
        Tree.from_bytes(json.dumps({"mlpipe": "tree/1", "entries": entries}).encode())


def test_newer_tree_is_refused():
    """A tree of a newer version is not guessed at."""
    with pytest.raises(WorkspaceVersionError):
        Tree.from_bytes(b'{"mlpipe": "tree/2", "entries": []}')
