"""From a module's arguments, with their placeholders, to those of one step.

``${inputs.x}``, ``${outputs.x}`` and ``${params.x}``; ``$${`` stands for ``${``.  A path is a whole argument; a
parameter may stand in a text.  An argument that is nothing but a parameter keeps its type.  Nothing else that looks
like ``${NAME}`` is touched: shells have it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Literal

from airflow_mlpipe.model.step import Argument, InputPath, OutputPath, Template, Text

Side = Literal["inputs", "outputs", "params"]
_PLACEHOLDER = re.compile(r"\$\$\{|\$\{\s*([A-Za-z_]\w*)((?:\.\w+)+)\s*\}")
SIDES: tuple[Side, ...] = ("inputs", "outputs", "params")


def placeholders(text: str) -> Iterator[tuple[str, str, bool]]:
    """Those of a text: side and name, and whether the text is nothing else.  The side may be a wrong one."""
    for match in _PLACEHOLDER.finditer(text):
        if match[1] is not None:
            yield match[1], match[2][1:], match[0] == text.strip()


def names_of(item: Any) -> Iterator[tuple[str, str]]:
    """Side and name of each placeholder of an argument, or of a list of them."""
    for one in item if isinstance(item, (list, tuple)) else (item,):
        if isinstance(one, str):
            yield from ((side, name) for side, name, _ in placeholders(one))


def flat(arguments: Iterable[Any], is_there: Callable[[str, str], bool]) -> Iterator[Any]:
    """The arguments without the lists of which something is not there.

    :param is_there: asked with side and name.
    """
    for item in arguments:
        if not isinstance(item, (list, tuple)):
            yield item
        elif all(is_there(side, name) for side, name in names_of(item)):
            yield from item


def command_of(
    arguments: Iterable[Any],
    *,
    inputs: Collection[str],
    outputs: Collection[str],
    params: Mapping[str, Any],
) -> tuple[Argument, ...]:
    """The arguments of a step.

    :param inputs: ports that have data in this run. :param outputs: ports of the step.
    :param params: their values; in what is hashed perhaps a :class:`Template` in place of one.
    """

    def is_there(side: str, name: str) -> bool:
        if side == "params":
            return params.get(name) is not None
        return name in (inputs if side == "inputs" else outputs)

    return tuple(_argument(item, params) for item in flat(arguments, is_there))


def _argument(item: Any, params: Mapping[str, Any]) -> Argument:
    if not isinstance(item, str):
        return Text(str(item), item)
    found = list(placeholders(item))
    if len(found) == 1 and found[0][2]:
        side, name, _ = found[0]
        if side == "inputs":
            return InputPath(name)
        if side == "outputs":
            return OutputPath(name)
        value = _text(params[name])
        return Text(value.text if isinstance(value, Template) else str(value), value)
    if any(isinstance(params.get(name), Template) for _, name, _ in found):
        return Text(item, Template(item))
    text = _PLACEHOLDER.sub(lambda m: "${" if m[1] is None else str(_text(params[m[2][1:]])), item)
    return Text(text, text)


def _text(value: Any) -> Any:
    """A parameter as an argument: text, numbers and bools as they are, all else as JSON."""
    if isinstance(value, (str, int, float, Template)):
        return value
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
