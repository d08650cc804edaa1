"""Plain values as YAML, so that ``written.places`` reads the same values back."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from airflow_mlpipe.written.places import scalar

_WIDTH = 110
_BREAKS = frozenset("\r\x85\u2028\u2029\ufeff")
"""Breaks of lines that YAML takes for another one, unless they are escaped."""


def dump(value: Any) -> str:
    """The text; members stay in their order."""
    import yaml

    text: str = yaml.dump(
        value, Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=_WIDTH, default_flow_style=False
    )
    return text


@lru_cache(maxsize=1)
def _dumper() -> Any:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Texts of several lines as blocks, short lists of plain values in one line, no aliases."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    Dumper.add_representer(str, _text)
    Dumper.add_representer(list, _list)
    return Dumper


def _text(dumper: Any, value: str) -> Any:
    style = None
    if not isinstance(scalar(value), str):
        style = "'"  # our reader takes it for a number, YAML 1.1 for a text: 1e-3
    elif set(value) & _BREAKS:
        style = '"'
    elif "\n" in value:
        style = "|"
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


def _list(dumper: Any, value: list[Any]) -> Any:
    plain = all(isinstance(one, (str, int, float, bool, type(None))) for one in value)
    short = plain and sum(len(str(one)) + 2 for one in value) < _WIDTH - 20 and "\n" not in "".join(map(str, value))
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=short)
