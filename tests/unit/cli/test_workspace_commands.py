"""``ls``, ``show``, ``pin``, ``unpin`` and ``forget`` on a real workspace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from support.answers import fingerprint, producer, record, run

from airflow_mlpipe.fingerprint.key import KeyDocument
from airflow_mlpipe.store.workspace import Workspace

Mlpipe = Callable[..., object]


def _digits(seed: object) -> str:
    return fingerprint(seed).partition(":")[2]


@pytest.fixture
def results(workspace: Workspace) -> Workspace:
    """Three results: two of ``digits/train``, one of ``other/prepare``."""
    workspace.records.publish(replace(record("a"), started=100.0))
    workspace.records.publish(replace(record("b"), started=200.0))
    elsewhere = producer(dag_id="other", task_id="prepare")
    workspace.records.publish(replace(record("c"), started=300.0, producer=elsewhere))
    return workspace


# ---------------------------------------------------------------------------------------------------------------- ls
def test_ls_of_a_new_workspace_says_that_there_is_nothing(workspace: Workspace, mlpipe: Mlpipe) -> None:
    """No table without rows, and an empty list in JSON."""
    assert mlpipe("ls").out == "No results.\n"
    assert mlpipe("ls", "-o", "json").document == {"mlpipe": "ls/1", "records": []}


def test_ls_lists_the_newest_first(results: Workspace, mlpipe: Mlpipe) -> None:
    """Fingerprint, producer, when, how long, how big."""
    head, *rows = mlpipe("ls").rows
    assert head[:2] == ["FINGERPRINT", "PRODUCED"]
    assert [row[0] for row in rows] == [_digits(s)[:12] for s in "cba"]
    assert rows[0][1:8] == ["other/run-1/prepare", "1970-01-01", "00:05:00Z", "12.5", "s", "5", "B"]


@pytest.mark.parametrize(
    ("options", "found"), [(["--dag", "digits"], "ba"), (["--task", "prepare"], "c"), (["--dag", "x"], "")]
)
def test_ls_takes_a_dag_or_a_task(results: Workspace, mlpipe: Mlpipe, options: list[str], found: str) -> None:
    """Only what that DAG, or tasks of that id, produced."""
    records = mlpipe("ls", *options, "-o", "json").document["records"]
    assert [r["fingerprint"] for r in records] == [fingerprint(s) for s in found]


def test_ls_shows_what_is_pinned_used_and_nondeterministic(results: Workspace, mlpipe: Mlpipe) -> None:
    """What gc would look at."""
    results.pins.pin(fingerprint("a"), "ann")
    results.usage.touch(fingerprint("b"))
    results.records.publish(replace(record("c"), nondeterministic=True), replace=True)
    by_seed = {r["fingerprint"]: r for r in mlpipe("ls", "-o", "json").document["records"]}
    a, b, c = (by_seed[fingerprint(s)] for s in "abc")
    assert (a["pinned"], b["pinned"]) == (True, False)
    assert (a["used"], b["used"] is not None) == (None, True)
    assert (b["nondeterministic"], c["nondeterministic"]) == (False, True)


# -------------------------------------------------------------------------------------------------------------- show
def test_show_takes_a_fingerprint_its_start_or_a_step(results: Workspace, mlpipe: Mlpipe) -> None:
    """All of them lead to the same record."""
    results.runs.put(run("a", "r7", started=5.0))
    for what in (
        [fingerprint("a")],
        [_digits("a")],
        [_digits("a")[:8]],
        ["digits", "train"],
        ["digits", "train", "r7"],
    ):
        assert mlpipe("show", *what, "-o", "json").document["record"]["fingerprint"] == fingerprint("a")


def test_show_has_the_outputs_and_the_parts(results: Workspace, mlpipe: Mlpipe) -> None:
    """Where the outputs are, and what the fingerprint is made of."""
    key = KeyDocument(step="script", code={"entry": "train.py", "files": {"train.py": "sha256:00"}}, params={"lr": 0.3})
    results.keys.put(fingerprint("a"), key.to_json())
    results.pins.pin(fingerprint("a"), "ann", "in production")
    shown = mlpipe("show", _digits("a"))
    assert ["code", "train.py", "sha256:00"] in shown.rows
    assert ["code", "entry", "train.py"] in shown.rows
    assert ["params", "lr", "0.3"] in shown.rows
    assert ["accuracy", "0.5"] in shown.rows
    assert "pinned       by ann: in production" in shown.out
    assert record("a").outputs[0].uri in shown.out


def test_show_json_is_the_record_with_its_key(results: Workspace, mlpipe: Mlpipe) -> None:
    """Members that programs can rely on."""
    document = mlpipe("show", _digits("a"), "-o", "json").document
    expected = replace(record("a"), started=100.0).to_json()
    assert document == {"mlpipe": "show/1", "record": expected, "key": None, "pin": None, "used": None}


def test_an_ambiguous_start_lists_what_it_may_mean(results: Workspace, mlpipe: Mlpipe) -> None:
    """The empty start of all three is refused with the three fingerprints."""
    digits = sorted(_digits(s) for s in "abc")
    twins = [d for d in digits if d[0] == digits[0][0]]
    for number in range(40):  # by the pigeonhole principle two of these start alike
        results.records.publish(record(number))
        twins = [d for d in [*map(_digits, range(number + 1)), *digits] if d[0] == digits[0][0]]
        if len(twins) > 1:
            break
    shown = mlpipe("show", digits[0][0])
    assert shown.code == 2
    assert f"{len(twins)} fingerprints start so" in shown.err
    assert all(f"mlp1:{t}" in shown.err for t in twins)


@pytest.mark.parametrize(
    ("what", "code", "message"),
    [
        (["0" * 64], 2, "no result has this fingerprint"),
        (["digits"], 2, "DAG TASK [RUN]"),
        (["digits", "trian"], 2, "no run of this step is remembered"),
        (["digits", "train", "r9"], 2, "this run is not remembered"),
        (["digits", "trian", "r1"], 2, "this run of the step is not remembered"),
        (["digist", "train", "r1"], 2, "no run of this DAG is remembered"),
        (["digits", "lost", "r1"], 1, "no result is recorded for this fingerprint"),
        (["a", "b", "c", "d"], 2, "too many words"),
    ],
)
def test_what_is_not_there_is_an_error_without_a_traceback(
    results: Workspace, mlpipe: Mlpipe, what: list[str], code: int, message: str
) -> None:
    """The message is on stderr and stdout stays empty; a name that is wrong is another exit code than a loss."""
    results.runs.put(run("a", "r1"))
    results.runs.put(replace(run("lost", "r1"), step=producer("r1", task_id="lost")))
    shown = mlpipe("show", *what)
    assert (shown.code, shown.out) == (code, "")
    assert message in shown.err
    assert "Traceback" not in shown.err


def test_an_unknown_step_is_answered_with_the_known_ones(results: Workspace, mlpipe: Mlpipe) -> None:
    """Mapped instances with the option that selects them."""
    results.runs.put(run("a"))
    results.runs.put(replace(run("b"), step=producer(task_id="fit", map_index=2)))
    shown = mlpipe("show", "digits", "trian")
    assert "valid: 'fit --map-index 2', 'train'" in shown.err


def test_a_mapped_instance_is_found_by_its_index(results: Workspace, mlpipe: Mlpipe) -> None:
    """Every instance has its own result."""
    for seed, index in (("a", 0), ("b", 1)):
        results.runs.put(replace(run(seed), step=producer(map_index=index)))
    document = mlpipe("show", "digits", "train", "--map-index", "1", "-o", "json").document
    assert document["record"]["fingerprint"] == fingerprint("b")


# --------------------------------------------------------------------------------------------------------------- pin
def test_pin_and_unpin_a_result(results: Workspace, mlpipe: Mlpipe) -> None:
    """Who and why are kept."""
    pinned = mlpipe("pin", _digits("a"), "--why", "paper", "-o", "json").document
    assert (pinned["fingerprint"], pinned["pinned"], pinned["why"]) == (fingerprint("a"), True, "paper")
    assert results.pins.get(fingerprint("a")).why == "paper"
    assert mlpipe("unpin", _digits("a"), "-o", "json").document["was_pinned"] is True
    assert results.pins.get(fingerprint("a")) is None
    assert mlpipe("unpin", _digits("a")).out == f"was not pinned: {fingerprint('a')}\n"


def test_pinning_again_without_a_reason_keeps_the_earlier_one(results: Workspace, mlpipe: Mlpipe) -> None:
    """Only a reason that is given replaces it."""
    for given, kept in ((["--why", "paper"], "paper"), ([], "paper"), (["--why", "product"], "product")):
        assert mlpipe("pin", _digits("a"), *given, "-o", "json").document["why"] == kept
        assert results.pins.get(fingerprint("a")).why == kept


def test_only_a_recorded_result_can_be_pinned(results: Workspace, mlpipe: Mlpipe) -> None:
    """A pin on nothing would promise what it cannot keep."""
    results.runs.put(run("never recorded", "r1"))
    shown = mlpipe("pin", "digits", "train", "r1")
    assert shown.code == 1
    assert "no result is recorded for this fingerprint" in shown.err
    assert not list(results.pins.list())


def test_a_pin_that_outlived_its_result_can_be_removed(results: Workspace, mlpipe: Mlpipe) -> None:
    """Pins are found by their digits even without a record."""
    results.pins.pin(fingerprint("gone"), "ann")
    assert mlpipe("unpin", _digits("gone")).code == 0
    assert not list(results.pins.list())


# ------------------------------------------------------------------------------------------------------------ forget
def test_forget_without_yes_asks_and_cannot_here(results: Workspace, mlpipe: Mlpipe) -> None:
    """Where nobody can answer, nothing is removed."""
    shown = mlpipe("forget", _digits("a"))
    assert shown.code == 2
    assert "--yes" in shown.err
    assert results.records.get(fingerprint("a")) is not None


@pytest.mark.parametrize(
    ("what", "gone"), [([_digits("a")[:10]], "a"), (["digits"], "ab"), (["digits", "train"], "ab"), (["other"], "c")]
)
def test_forget_a_result_or_those_of_a_dag_or_step(
    results: Workspace, mlpipe: Mlpipe, what: list[str], gone: str
) -> None:
    """Only those records go."""
    document = mlpipe("forget", *what, "--yes", "-o", "json").document
    assert sorted(document["forgotten"]) == sorted(fingerprint(s) for s in gone)
    left = {r.fingerprint for r in results.records.list()}
    assert left == {fingerprint(s) for s in "abc" if s not in gone}


def test_forget_leaves_pinned_results(results: Workspace, mlpipe: Mlpipe) -> None:
    """Who pinned one is asked first."""
    results.pins.pin(fingerprint("a"), "ann")
    document = mlpipe("forget", "digits", "-y", "-o", "json").document
    assert document == {"mlpipe": "forget/1", "forgotten": [fingerprint("b")], "pinned": 1}
    assert results.records.get(fingerprint("a")) is not None


@pytest.mark.parametrize("what", [["nothing"], ["digits", "prepare"], ["0" * 20]])
def test_forgetting_what_is_not_there_is_an_error(results: Workspace, mlpipe: Mlpipe, what: list[str]) -> None:
    """A misspelt name is said, not passed over."""
    shown = mlpipe("forget", *what, "--yes")
    assert shown.code == 2
    assert "no result" in shown.err


def test_a_word_that_means_a_dag_and_a_fingerprint_is_refused(results: Workspace, mlpipe: Mlpipe) -> None:
    """Nothing is removed on a guess."""
    start = _digits("a")[:12]
    results.records.publish(replace(record("d"), producer=producer(dag_id=start)))
    shown = mlpipe("forget", start, "--yes")
    assert shown.code == 2
    assert f"say {fingerprint('a')}" in shown.err
    assert len(list(results.records.list())) == 4


# ------------------------------------------------------------------------------------------------------------ errors
def test_a_newer_workspace_is_refused_without_a_traceback(workspace: Workspace, mlpipe: Mlpipe) -> None:
    """An older program cannot know what it would destroy."""
    workspace.store.put("mlpipe.json", b'{"mlpipe": "workspace/99"}')
    shown = mlpipe("ls")
    assert shown.code == 1
    assert "newer version" in shown.err
    assert "Traceback" not in shown.err
