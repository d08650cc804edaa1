"""Start runs over HTTP: what is sent, what is refused, what is tried again."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from support.rest_api import FakeAirflow, FakeDag, FakeStep, Frame, Server

from airflow_mlpipe.experiment import (
    ApiError,
    ApiUnavailableError,
    AuthenticationError,
    Experiment,
    RunFailedError,
    UsageError,
    WaitTimeoutError,
)
from airflow_mlpipe.experiment import api as api_module


def _experiment(fake: FakeAirflow, **more: object) -> Experiment:
    return Experiment(**{"url": fake.url, "username": "ml", "password": "correct horse", "patience": 5.0} | more)


def _secretless(text: str) -> None:
    assert "correct horse" not in text
    assert "token-of-ml" not in text


def test_a_run_gets_the_conf_and_a_manual_id(fake: FakeAirflow) -> None:
    """Parameters, other members and the refresh are one conf."""
    fake.dags["digits"].params = {"lr": {"value": 0.1, "schema": {"type": "number"}}}
    run = _experiment(fake).submit("digits", params={"lr": 0.3}, conf={"note": "x"}, refresh="train+")
    (body,) = fake.asked("POST", "/dagRuns")
    assert body["conf"] == {"lr": 0.3, "note": "x", "mlpipe": {"refresh": ["train+"]}}
    assert body["logical_date"] is None
    assert body["dag_run_id"] == run.run_id
    assert run.run_id.startswith("manual__")


def test_an_unknown_parameter_starts_nothing(fake: FakeAirflow) -> None:
    """The error names the DAG's parameters, and no run is asked for."""
    fake.dags["digits"].params = {"lr": {"value": 0.1, "schema": {}}}
    with pytest.raises(UsageError, match=r"unknown parameter.*'rl'.*'lr'"):
        _experiment(fake).submit("digits", params={"rl": 0.3})
    assert not fake.asked("POST", "/dagRuns")


def test_an_unknown_dag_is_named(fake: FakeAirflow) -> None:
    """The error says which DAG and where it was looked for."""
    with pytest.raises(UsageError, match=rf"{fake.url}.*no such DAG.*'digit'"):
        _experiment(fake).submit("digit")


def test_an_unknown_dag_comes_with_the_import_error_of_its_file(fake: FakeAirflow) -> None:
    """How many files do not import, and the end of the trace of the one that the DAG's id is in the name of."""
    trace = "Traceback:\n" + "".join(f"  frame {n}\n" for n in range(9)) + "NameError: name 'x' is not defined\n"
    fake.import_errors = [("other.py", "KeyError: 1"), ("dags/mnist_train.py", trace)]
    with pytest.raises(UsageError) as caught:
        _experiment(fake).submit("mnist")
    message = str(caught.value)
    assert "2 files do not import in this deployment\n  dags/mnist_train.py:" in message
    assert "NameError: name 'x' is not defined" in message
    assert "frame 1" not in message
    assert "other.py" not in message


def test_an_unknown_dag_comes_with_the_newest_import_error_otherwise(fake: FakeAirflow) -> None:
    """A DAG's file may have any name."""
    fake.import_errors = [("new.py", "KeyError: 1"), ("old.py", "KeyError: 2")]
    with pytest.raises(
        UsageError, match=r"(?s)2 files do not import in this deployment; the newest.*new.py.*KeyError: 1"
    ):
        _experiment(fake).submit("mnist")


def test_import_errors_that_may_not_be_seen_hide_nothing(fake: FakeAirflow, monkeypatch: pytest.MonkeyPatch) -> None:
    """That there is no such DAG is said all the same."""
    answer = fake.answer
    refused = (403, {"detail": "Forbidden"})
    monkeypatch.setattr(
        fake, "answer", lambda m, path, *rest: refused if "importErr" in path else answer(m, path, *rest)
    )
    with pytest.raises(UsageError, match=r"no such DAG.*'mnist'.*refresh_interval"):
        _experiment(fake).submit("mnist")


def test_a_paused_dag_starts_nothing(fake: FakeAirflow) -> None:
    """A run of a paused DAG would wait for ever, so it is not started."""
    fake.dags["digits"].is_paused = True
    with pytest.raises(UsageError, match=r"paused.*--unpause"):
        _experiment(fake).submit("digits")
    assert not fake.asked("POST", "/dagRuns")


def test_a_paused_dag_is_unpaused_when_asked(fake: FakeAirflow) -> None:
    """``unpause`` unpauses it, then starts the run."""
    fake.dags["digits"].is_paused = True
    _experiment(fake).submit("digits", unpause=True)
    assert fake.asked("PATCH", "/dags/digits") == [{"is_paused": False}]
    assert len(fake.asked("POST", "/dagRuns")) == 1


def test_a_value_that_the_schema_forbids_is_refused_with_airflows_words(fake: FakeAirflow) -> None:
    """What the server says is wrong reaches the user."""
    fake.dags["digits"].params = {"lr": {"value": 0.1, "schema": {"type": "number", "minimum": 0}}}
    with pytest.raises(ApiError, match="-1 is less than the minimum of 0") as caught:
        _experiment(fake).submit("digits", params={"lr": -1})
    assert caught.value.status == 400


def test_ids_are_quoted(fake: FakeAirflow) -> None:
    """An id with a slash names no other resource."""
    fake.dags["a/b"] = FakeDag()
    _experiment(fake).submit("a/b")
    assert ("GET", "/api/v2/dags/a%2Fb/details", None) in fake.requests


# ------------------------------------------------------------------------------------------------------------ log in
def test_a_wrong_password_is_refused_without_repeating_it(fake: FakeAirflow) -> None:
    """The user is named, and no secret is, whatever the server answers."""
    with pytest.raises(AuthenticationError, match=r"log-in was refused.*'ml'") as caught:
        _experiment(fake, password="correct  horse").submit("digits")
    _secretless(str(caught.value))
    assert "correct  horse" not in str(caught.value)


def test_a_token_is_used_as_it_is(fake: FakeAirflow) -> None:
    """With a token there is no log-in."""
    _experiment(fake, username=None, password=None, token="token-of-ml").submit("digits")
    assert not [r for r in fake.requests if r[1] == "/auth/token"]


def test_a_refused_token_is_not_repeated(fake: FakeAirflow) -> None:
    """The error does not hold the token."""
    fake.valid_tokens.clear()
    with pytest.raises(AuthenticationError) as caught:
        _experiment(fake, username=None, password=None, token="token-of-ml").submit("digits")
    _secretless(str(caught.value))


def test_an_expired_token_is_renewed(fake: FakeAirflow) -> None:
    """A run that lasts longer than a token is followed to its end."""
    run = _experiment(fake).submit("digits")
    fake.valid_tokens.clear()
    assert run.get_status().state == "success"
    assert len(fake.asked("POST", "/auth/token")) == 2


def test_a_token_file_is_read_again_when_its_token_expired(fake: FakeAirflow, tmp_path: Path) -> None:
    """A file that something renews is good for ever."""
    file = tmp_path / "token"
    file.write_text("expired\n")
    run = _experiment(fake, username=None, password=None, token_file=file)
    with pytest.raises(AuthenticationError):
        run.submit("digits")
    file.write_text("token-of-ml\n")
    run.submit("digits")


def test_a_deployment_that_lets_everybody_in_needs_no_credentials(fake: FakeAirflow) -> None:
    """Without credentials the token is asked for with GET."""
    fake.all_admins = True
    _experiment(fake, username=None, password=None).submit("digits")
    assert len(fake.asked("GET", "/auth/token")) == 1


def test_missing_credentials_are_a_usage_error(fake: FakeAirflow) -> None:
    """The error says how to give some."""
    with pytest.raises(UsageError, match=r"no credentials.*--username.*--token-file"):
        _experiment(fake, username=None, password=None).submit("digits")


def test_an_experiment_shows_no_secret() -> None:
    """Its repr can be logged."""
    shown = repr(Experiment(url="http://localhost:1", username="ml", password="correct horse"))
    _secretless(shown)
    _secretless(repr(Experiment(url="http://localhost:1", token="token-of-ml")))


@pytest.mark.parametrize(
    "credentials",
    [
        {"username": "ml"},
        {"password": "x"},
        {"token": "t", "username": "ml", "password": "x"},
        {"token": "t", "token_file": "f"},
        {"username": "ml", "password": "x", "password_file": "f"},
    ],
)
def test_credentials_that_do_not_fit_are_refused(credentials: dict) -> None:
    """Half a pair, or two ways at once."""
    with pytest.raises(UsageError):
        Experiment(url="http://localhost:1", **credentials)


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://host", "http://", "http://host/?a=b", ""])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """The error shows one that would do."""
    with pytest.raises(UsageError, match="http://host:8080"):
        Experiment(url=url, token="t")


def test_credentials_in_an_address_are_refused_without_repeating_them() -> None:
    """An address is logged; a password in it would be too."""
    with pytest.raises(UsageError) as caught:
        Experiment(url="http://ml:hunter2@host:8080", token="t")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["", "/", "/api/v2", "/api/v2/"])
def test_the_address_may_be_that_of_the_api(fake: FakeAirflow, suffix: str) -> None:
    """People copy it from the browser or from the API's documentation."""
    assert _experiment(fake, url=fake.url + suffix).submit("digits").url.startswith(f"{fake.url}/dags/digits/runs/")


# --------------------------------------------------------------------------------------------------------- try again
def test_a_server_that_is_not_up_yet_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused connection is tried again."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    late = FakeAirflow()
    late.url = f"http://127.0.0.1:{port}"
    servers: list[Server] = []

    def start_the_server_after_the_first_refusal(_state: object) -> float:
        if not servers:
            servers.append(Server(late, port))
            servers[0].__enter__()
        return 0.01

    monkeypatch.setattr(api_module, "wait_random_exponential", lambda **_: start_the_server_after_the_first_refusal)
    try:
        _experiment(late).submit("digits")
    finally:
        for server in servers:
            server.__exit__()
    assert len(servers) == 1
    assert len(late.runs) == 1


def test_a_server_that_never_answers_is_an_error_that_says_so() -> None:
    """The error names the address and what to check."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(ApiUnavailableError, match=rf"{url}.*does not answer"):
            Experiment(url=url, token="t", patience=0.2).submit("digits")


def test_a_busy_server_is_asked_again(fake: FakeAirflow) -> None:
    """HTTP 503, 429 and 500 - Airflow's while its database is locked - pass, for each request of a submit."""
    for failures in ([503, 200, 429, 200], [500, 200, 500, 200, 500, 200, 500, 200]):
        fake.next_statuses.extend(failures)
        _experiment(fake).submit("digits")
        assert not fake.next_statuses
    assert len(fake.runs) == 2


def test_a_lost_answer_starts_no_second_run(fake: FakeAirflow) -> None:
    """The request is repeated with the same run id, and the conflict means that it was done."""
    fake.passwords.clear()
    experiment = _experiment(fake, username=None, password=None, token="token-of-ml")
    fake.drop_answer_to = "POST"
    run = experiment.submit("digits")
    assert len(fake.asked("POST", "/dagRuns")) == 2
    assert list(fake.runs) == [run.run_id]


def test_an_answer_that_is_not_json_is_an_api_error(fake: FakeAirflow) -> None:
    """A proxy's page is not taken for an answer."""
    fake.answer = lambda *_: (200, ["not", "an", "object"])
    with pytest.raises(ApiError, match="not JSON"):
        _experiment(fake, username=None, password=None, token="t").submit("digits")


# -------------------------------------------------------------------------------------------------------------- runs
def test_the_steps_come_in_the_pipelines_order_with_what_they_decided(fake: FakeAirflow) -> None:
    """A decision is read from the step's XCom."""
    fake.frames[0] = Frame(
        "success",
        [
            FakeStep("train", "success", {"decision": "executed", "reasons": ["PARAM lr 0.1 -> 0.3"], "seconds": 2.5}),
            FakeStep("prepare", "success", {"decision": "reused", "saved": 60, "origin": "digits/r0/prepare"}),
        ],
    )
    prepare, train = _experiment(fake).submit("digits").get_steps()
    assert (prepare.name, prepare.outcome.decision, prepare.outcome.saved) == ("prepare", "reused", 60.0)
    assert prepare.outcome.origin == "digits/r0/prepare"
    assert (train.name, train.outcome.reasons, train.outcome.seconds) == ("train", ("PARAM lr 0.1 -> 0.3",), 2.5)


def test_all_pages_are_read(fake: FakeAirflow) -> None:
    """A fan-out of more steps than fit a page is shown whole."""
    fake.page_limit = 7
    fake.frames[0] = Frame(
        "success", [FakeStep("train", "success", {"decision": "reused"}, map_index=i) for i in range(30)]
    )
    steps = _experiment(fake).submit("digits").get_steps()
    assert [s.name for s in steps] == [f"train[{i}]" for i in range(30)]
    assert all(s.outcome.decision == "reused" for s in steps)


def test_a_task_that_is_no_step_has_no_decision(fake: FakeAirflow) -> None:
    """Other operators, and another author's XCom of our name, are shown without one."""
    fake.frames[0] = Frame("success", [FakeStep("prepare", "success", {"mine": 1}), FakeStep("train", None)])
    prepare, train = _experiment(fake).submit("digits").get_steps()
    assert prepare.outcome is None
    assert (train.state, train.outcome) == ("none", None)


def test_an_output_is_read_as_a_reference(fake: FakeAirflow) -> None:
    """``get_output`` gives what the step published."""
    from airflow_mlpipe.model.reference import OutputReference

    reference = OutputReference(
        name="model",
        kind="folder",
        digest="sha256:" + "0" * 64,
        identity="sha256:" + "0" * 64,
        datastore="",
        uri="file:///w/trees/0.json",
        size=10,
        files=1,
    )
    fake.outputs["train", "model"] = reference.to_json()
    assert _experiment(fake).submit("digits").get_output("train", "model") == reference


@pytest.mark.parametrize("value", [None, 3, {"mlpipe": "other/1"}])
def test_an_output_that_is_not_there_is_a_usage_error(fake: FakeAirflow, value: object) -> None:
    """No value, and a value that is no reference, are both no output."""
    if value is not None:
        fake.outputs["train", "model"] = value
    with pytest.raises(UsageError, match=r"no such output.*'model'"):
        _experiment(fake).submit("digits").get_output("train", "model")


def test_a_failed_run_raises_with_the_steps_that_failed(fake: FakeAirflow) -> None:
    """A step that only an upstream step failed is not blamed."""
    fake.frames[0] = Frame("failed", [FakeStep("prepare", "failed"), FakeStep("train", "upstream_failed")])
    with pytest.raises(RunFailedError, match="failed: prepare") as caught:
        _experiment(fake).submit("digits").wait_for_completion(show_output=False)
    assert [s.name for s in caught.value.steps] == ["prepare"]


def test_a_failed_run_can_be_returned(fake: FakeAirflow) -> None:
    """``raise_on_error=False`` gives the status."""
    fake.frames[0] = Frame("failed")
    run = _experiment(fake).submit("digits")
    assert run.wait_for_completion(show_output=False, raise_on_error=False).state == "failed"


def test_waiting_ends_when_its_time_is_over(fake: FakeAirflow) -> None:
    """The run goes on, and the error says so."""
    fake.frames[0] = Frame("running")
    with pytest.raises(WaitTimeoutError, match="the run goes on"):
        _experiment(fake).submit("digits").wait_for_completion(show_output=False, timeout_seconds=0.05)


def test_a_run_can_be_cancelled(fake: FakeAirflow) -> None:
    """Cancelling marks it failed; Airflow ends its tasks."""
    fake.frames[0] = Frame("running")
    run = _experiment(fake).submit("digits")
    run.cancel()
    assert run.get_status().state == "failed"


def test_attaching_to_a_run_that_is_not_there_is_a_usage_error(fake: FakeAirflow) -> None:
    """The error names the run."""
    with pytest.raises(UsageError, match="digits/r9"):
        _experiment(fake).attach("digits", "r9")


def test_a_decision_is_fetched_once(fake: FakeAirflow) -> None:
    """Following a run does not ask again for what did not change."""
    decided = FakeStep("train", "success", {"decision": "reused"})
    fake.frames.clear()
    fake.frames.extend([Frame("running", [decided]), Frame("running", [decided]), Frame("success", [decided])])
    _experiment(fake).submit("digits").wait_for_completion(show_output=False)
    assert len(fake.asked("GET", "/train/xcomEntries/mlpipe")) == 1


def test_a_new_decision_takes_the_place_of_the_old_one(fake: FakeAirflow) -> None:
    """A step that said it is running says later that it was executed."""
    from airflow_mlpipe.experiment.watch import Watcher

    fake.frames.clear()
    fake.frames.append(Frame("running", [FakeStep("train", "running", {"decision": "running"})]))
    fake.frames.append(Frame("success", [FakeStep("train", "success", {"decision": "executed", "seconds": 2})]))
    watcher = Watcher(_experiment(fake).submit("digits"))
    assert watcher.poll().steps[0].outcome.decision == "running"
    assert watcher.poll().steps[0].outcome.decision == "executed"


def test_a_cleared_step_loses_its_decision(fake: FakeAirflow) -> None:
    """What an earlier try decided is not shown for the next one."""
    from airflow_mlpipe.experiment.watch import Watcher

    fake.frames.clear()
    fake.frames.append(Frame("running", [FakeStep("train", "success", {"decision": "executed"})]))
    fake.frames.append(Frame("running", [FakeStep("train", "queued")]))
    watcher = Watcher(_experiment(fake).submit("digits"))
    watcher.poll()
    assert watcher.poll().steps[0].outcome is None


def test_a_step_that_failed_does_not_say_that_it_is_running(fake: FakeAirflow) -> None:
    """It could not take back what it said when it started; why it executed stays."""
    fake.frames[0] = Frame("failed", [FakeStep("train", "failed", {"decision": "running", "reasons": ["NEW"]})])
    (step,) = _experiment(fake).submit("digits").get_steps()
    assert (step.outcome.decision, step.outcome.reasons) == ("failed", ("NEW",))
