"""What ended a container, when its engine says so late."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from airflow_mlpipe.compute.docker import endings
from airflow_mlpipe.compute.docker.endings import settled


def moment(seconds_ago: float) -> str:
    """As the engine writes it."""
    return (datetime.now(timezone.utc) - timedelta(seconds=seconds_ago)).isoformat().replace("+00:00", "Z")


ENDED = {"ExitCode": 137, "OOMKilled": False, "FinishedAt": moment(-3600)}
"""By a clock that is fast, so that how long it is waited for is this machine's affair."""


class Engine:
    """Says it is memory from a certain question on."""

    def __init__(self, late: int | None) -> None:
        self.late, self.asked = late, 0

    def inspect_container(self, _container: str) -> dict[str, dict[str, object]]:
        """Count, and answer."""
        self.asked += 1
        return {"State": {**ENDED, "OOMKilled": self.late is not None and self.asked >= self.late}}


def test_memory_that_is_told_late_is_the_reason():
    """The event of the kill comes after that of the end."""
    engine = Engine(late=2)
    assert settled(engine, "c", ENDED, limited=True)["OOMKilled"]
    assert engine.asked == 2


@pytest.mark.parametrize(
    ("state", "limited"),
    [
        ({**ENDED, "OOMKilled": True}, True),
        ({**ENDED, "ExitCode": 1}, True),
        ({**ENDED, "ExitCode": 0}, True),
        (ENDED, False),
        ({**ENDED, "FinishedAt": moment(10)}, True),
    ],
)
def test_nothing_is_waited_for_where_all_is_known(state, limited):
    """Another exit code, no limit, the answer itself, or an end that is not of now."""
    engine = Engine(late=1)
    assert settled(engine, "c", state, limited=limited) == state
    assert engine.asked == 0


def test_a_kill_by_somebody_else_is_believed_after_a_while(monkeypatch):
    """Nobody ever says that it was memory."""
    monkeypatch.setattr(endings, "_SETTLES", 0.3)
    engine = Engine(late=None)
    assert not settled(engine, "c", ENDED, limited=True)["OOMKilled"]
    assert engine.asked >= 2


def test_a_container_that_is_removed_meanwhile_is_what_it_was():
    """There is nobody to ask any more."""
    from docker.errors import NotFound

    class Gone:
        def inspect_container(self, _container: str) -> None:
            raise NotFound("gone")

    assert settled(Gone(), "c", ENDED, limited=True) == ENDED
