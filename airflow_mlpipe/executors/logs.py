"""What the executor adds to a task's log: the output of a container that could not write it itself, and its own words.

Airflow shows every file whose name begins with that of the task's log, in the order of time.  So nothing here is
written into the task's own file, and writing twice gives the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TaskLogs:
    """Airflow's log folder on this machine.

    :param root: ``[logging] base_log_folder``.
    """

    root: Path

    def size(self, log_path: str) -> int:
        """Bytes of the task's own file; 0 when there is none on this machine."""
        with suppress(OSError, ValueError):
            return self._file(log_path).stat().st_size
        return 0

    def keep_output(self, log_path: str, container: str, output: Iterable[bytes]) -> None:
        """Write what a container printed beside the task's own file, whole or not at all."""
        target = self._beside(log_path, f"{container[:12]}.log")
        part = target.with_name(f".{target.name}.part")
        with part.open("wb") as file:
            file.writelines(output)
        part.replace(target)

    def say(self, log_path: str, message: str) -> None:
        """Add a line of the executor's own, in the form of Airflow's."""
        line = {
            "timestamp": datetime.now(timezone.utc).isoformat(),
            "level": "error",
            "event": message,
            "logger": "airflow_mlpipe.executors",
        }
        with self._beside(log_path, "executor.log").open("a") as file:
            file.write(json.dumps(line) + "\n")

    def _beside(self, log_path: str, suffix: str) -> Path:
        file = self._file(log_path)
        # Group-writable like Airflow's own: tasks of another user write into the same folders.
        file.parent.mkdir(mode=0o775, parents=True, exist_ok=True)
        return file.with_name(f"{file.name}.{suffix}")

    def _file(self, log_path: str) -> Path:
        """:raises ValueError: for a path out of the log folder; a label could have been written by anybody."""
        file = (self.root / log_path).resolve()
        if not log_path or not file.is_relative_to(self.root.resolve()):
            raise ValueError(f"{log_path!r} is not below {self.root}")
        return file
