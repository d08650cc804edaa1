"""``python -m tools.option_table [SECTION]``: options of ``provider.py`` as the tables of the docs.

Section ``mlpipe`` is in ``docs/deploy.md``, ``mlpipe_docker`` in ``docs/executors.md``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any


def option_table(info: Mapping[str, Any], section: str = "mlpipe") -> str:
    """A Markdown table of the options of a section.

    :param info: what ``airflow_mlpipe.provider.get_provider_info`` returns.
    """
    lines = ["| option | default | meaning |", "|---|---|---|"]
    for name, option in info["config"][section]["options"].items():
        default = f"`{option['default']}`" if option["default"] else ""
        example = f" Example: `{option['example']}`" if option["example"] else ""
        lines.append(f"| `{name}` | {default} | {option['description']}{example} |")
    return "\n".join(lines)


if __name__ == "__main__":
    from airflow_mlpipe.provider import get_provider_info

    print(option_table(get_provider_info(), *sys.argv[1:2]))
