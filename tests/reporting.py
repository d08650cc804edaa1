"""What went wrong is told when it happens: a run that is cut off before its end leaves it in the log.

At its end a run tells which tests took most of the CPU, their fixtures and what they started and waited for included:
wall time says little of a suite that several processes share.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator
from typing import Any

import pytest


class AtOnce:
    """Prints each failure as it comes, with what pytest shows of it again at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._cpu: dict[str, float] = {}
        self._again: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Of the process that collects the reports of all; one that died while a test ran is such a report, too."""
        terminal: Any = self._config.pluginmanager.get_plugin("terminalreporter")
        if report.when == "teardown":
            self._cpu[report.nodeid] = sum(float(value) for name, value in report.user_properties if name == _CPU)
        if report.outcome not in ("failed", "rerun") or terminal is None:
            return
        if report.outcome == "rerun":
            self._again.append(report.nodeid)
        terminal.ensure_newline()
        terminal.write_sep("_", f"{report.nodeid} ({report.when})", red=True)
        for line in str(report.longreprtext).splitlines()[-_LINES:]:
            terminal.write_line(line)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """What was run twice; the thirty most expensive tests, and all of them together."""
        if self._again:
            terminalreporter.section("FAILED, and were run again: a race, or a machine that was too busy", red=True)
            terminalreporter.write_line("\n".join(self._again))
        if len(self._cpu) < _MANY:
            return
        terminalreporter.section(f"CPU: {sum(self._cpu.values()):,.0f} s, of which")
        for nodeid, seconds in sorted(self._cpu.items(), key=lambda one: -one[1])[:30]:
            terminalreporter.write_line(f"{seconds:7.1f} s  {nodeid}")


_CPU = "cpu seconds"
_MANY = 500
"""Tests from which on it is told."""

_LINES = 60
"""Of a traceback; what failed is at its end."""

_begun: dict[str, float] = {}


def _cpu() -> float:
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def pytest_runtest_logstart(nodeid: str) -> None:
    """In the process that runs the test."""
    _begun[nodeid] = _cpu()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """The report of a teardown brings it to who reports."""
    try:
        yield
    finally:
        item.user_properties.append((_CPU, _cpu() - _begun.pop(item.nodeid, _cpu())))


def pytest_configure(config: pytest.Config) -> None:
    """Only in the process that reports; those of ``pytest -n`` send it theirs."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(AtOnce(config), "failures-at-once")
