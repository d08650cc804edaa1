"""Plans, as properties: a model of both sides, the plan applied to it, and what must hold then."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_mlpipe.transfer.files import Found, Row, SourceFile
from airflow_mlpipe.transfer.planning import Plan, make_plan
from airflow_mlpipe.transfer.selection import Selection

PATHS = ["a", "b.csv", "tmp/c", "tmp/d.csv", "e/f/g"]
paths = st.sampled_from(PATHS)
contents = st.sampled_from(["1", "22", "33"])
sides = st.dictionaries(paths, contents)
modes = st.sampled_from(["copy", "sync", "move"])
selections = st.builds(
    Selection, st.sampled_from([(), ("*.csv",), ("tmp/",)]), st.sampled_from([(), ("tmp/",), ("*.csv",)])
)
SOURCE = "source"


def files_of(side, selection, *, known=False):
    """The source's files that take part; their tags change with their contents."""
    return [
        SourceFile(path, path, len(text), f"tag of {text}", True, f"sha256:{text}" if known else "")
        for path, text in sorted(side.items())
        if selection.takes(path)
    ]


def there_of(side):
    """What a listing of the destination tells."""
    return {path: Found(len(text), f"there {text}", 1.0) for path, text in side.items()}


def rows_of(delivered, side):
    """What was delivered, as far as it is there still."""
    return {
        path: Row(path, len(text), f"sha256:{text}", SOURCE, f"tag of {text}", f"there {text}")
        for path, text in delivered.items()
        if side.get(path) == text
    }


def plan_for(source, target, delivered, mode, selection, **more):
    """The plan of one transfer."""
    files = files_of(source, selection, known=more.pop("known", False))
    return make_plan(
        files,
        listed=files,
        there=there_of(target),
        rows=rows_of(delivered, target),
        source=SOURCE,
        kind="folder",
        mode=mode,
        takes=selection.takes,
        **more,
    )


def applied(plan: Plan, source, target):
    """The destination when a plan was carried out."""
    after = {**target, **{file.path: source[file.path] for file in plan.send}}
    return {path: text for path, text in after.items() if path not in plan.delete}


@given(sides, sides, sides, selections, st.booleans())
def test_after_a_sync_the_selected_part_of_the_destination_is_that_of_the_source(
    source, target, delivered, selection, known
):
    """Whatever was there, and whatever was delivered before."""
    after = applied(plan_for(source, target, delivered, "sync", selection, known=known), source, target)
    selected = {path: text for path, text in after.items() if selection.takes(path)}
    assert selected == {path: text for path, text in source.items() if selection.takes(path)}


@given(sides, sides, sides, modes, selections)
def test_what_the_patterns_do_not_take_is_left_alone(source, target, delivered, mode, selection):
    """At the destination nothing is written or removed, and from the source nothing removed."""
    plan = plan_for(source, target, delivered, mode, selection)
    touched = {*plan.delete, *(f.path for f in (*plan.send, *plan.remove))}
    assert all(selection.takes(path) for path in touched)


@given(sides, sides, sides, st.sampled_from(["copy", "move"]), selections)
def test_only_a_sync_removes_at_the_destination(source, target, delivered, mode, selection):
    """Copy and move add and overwrite."""
    assert plan_for(source, target, delivered, mode, selection).delete == ()


@given(sides, sides, sides, modes, selections)
def test_a_plan_that_was_carried_out_leaves_nothing_to_do(source, target, delivered, mode, selection):
    """Once the state knows what was delivered; of a move the source is empty then."""
    plan = plan_for(source, target, delivered, mode, selection)
    after = applied(plan, source, target)
    left = {path: text for path, text in source.items() if path not in {f.path for f in plan.remove}}
    sent = {path: text for path, text in source.items() if selection.takes(path)}
    assert plan_for(left, after, sent, mode, selection).is_empty


@given(sides, sides, sides, modes, selections)
def test_every_file_is_either_sent_or_kept_and_only_the_same_bytes_are_kept(source, target, delivered, mode, selection):
    """And what is sent anew is all of them."""
    plan = plan_for(source, target, delivered, mode, selection)
    names = [file.path for file in (*plan.send, *plan.keep)]
    assert sorted(names) == sorted(path for path in source if selection.takes(path))
    assert all(target[file.path] == source[file.path] for file in plan.keep)
    assert plan_for(source, target, delivered, mode, selection, anew=True).keep == ()


def test_a_tag_says_nothing_about_a_file_of_another_source():
    """Two sources may well give two files one tag."""
    file = SourceFile("a", "a", 1, "tag", True)
    row = Row("a", 1, "tag:tag", "another source", "tag", "there")
    common = {"listed": [file], "there": {"a": Found(1, "there", 1.0)}, "kind": "folder", "mode": "copy"}
    plan = make_plan([file], rows={"a": row}, source=SOURCE, takes=Selection().takes, **common)
    assert plan.send == (file,)


def test_the_largest_file_is_sent_first():
    """So that no large one is left when all others are done."""
    files = [SourceFile(str(size), str(size), size, "t", True) for size in (1, 300, 20)]
    plan = make_plan(
        files, listed=files, there={}, rows={}, source="", kind="folder", mode="copy", takes=Selection().takes
    )
    assert [file.size for file in plan.send] == [300, 20, 1]
