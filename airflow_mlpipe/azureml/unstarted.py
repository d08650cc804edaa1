"""What ``submit`` returns while Airflow parses the file: a run that was not started.

v1 scripts have no ``if __name__ == "__main__"``: they go on with ``wait_for_completion`` and with what the run found.
Airflow imports the file to see its DAG, and the rest of the script must neither run anything nor fail.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class Unstarted:
    """Takes every question and answers it with itself; it is false, empty, and zero."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *others: Any, **more: Any) -> Any:  # noqa: D102 - as all of them
        return self

    def __getitem__(self, key: Any) -> Any:
        return self

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        return False

    def __float__(self) -> float:
        return 0.0

    def __int__(self) -> int:
        return 0

    def __index__(self) -> int:
        return 0

    def __str__(self) -> str:
        return "not started"

    def __repr__(self) -> str:
        return "Unstarted()"

    def __format__(self, form: str) -> str:
        return "not started"

    def __lt__(self, other: Any) -> bool:
        return False

    __gt__ = __le__ = __ge__ = __lt__

    def __add__(self, other: Any) -> Any:
        return self

    __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __add__

    def __round__(self, digits: int | None = None) -> Any:
        return self


UNSTARTED = Unstarted()
