"""What went wrong is told when it happens: a run that is cut off before its end leaves it in the log."""

from __future__ import annotations

from typing import Any

import pytest


class AtOnce:
    """Prints each failure as it comes, with what pytest shows of it again at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Of the process that collects the reports of all; one that died while a test ran is such a report, too."""
        terminal: Any = self._config.pluginmanager.get_plugin("terminalreporter")
        if not report.failed or terminal is None:
            return
        terminal.ensure_newline()
        terminal.write_sep("_", f"{report.nodeid} ({report.when})", red=True)
        for line in str(report.longreprtext).splitlines()[-_LINES:]:
            terminal.write_line(line)


_LINES = 60
"""Of a traceback; what failed is at its end."""


def pytest_configure(config: pytest.Config) -> None:
    """Only in the process that reports; those of ``pytest -n`` send it theirs."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(AtOnce(config), "failures-at-once")
