"""``${...}`` in the texts of a pipeline: what it may name, and how it is told from everything else.

Inside the braces stands ``params.NAME``, ``data.NAME``, ``steps.TASK.outputs.NAME``, ``inputs.NAME`` or
``outputs.NAME``.  ``$${`` is the text ``${`` itself.  Jinja is left as it is: Airflow renders it in the run.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

ReferenceKind = Literal["params", "data", "output", "inputs", "outputs"]

_TOKEN = re.compile(r"\$\$\{|\$\{(?P<inner>[^{}]*)\}|\$\{\{[^{}]*\}\}|\$\{")
_SIMPLE = re.compile(r"(params|data|inputs|outputs)\.([A-Za-z_][A-Za-z0-9_]*)\Z")
_OUTPUT = re.compile(r"steps\.(?P<step>.+)\.outputs\.(?P<output>[A-Za-z_][A-Za-z0-9_]*)\Z")
_WRITE = re.compile(r"\$\{|\{\{ params\.(?P<name>[A-Za-z_][A-Za-z0-9_]*) \}\}")

FORMS = "${params.NAME}, ${data.NAME}, ${steps.TASK.outputs.NAME}, ${inputs.NAME}, ${outputs.NAME}"


@dataclass(frozen=True, slots=True)
class Reference:
    """What ``${...}`` names.  :param step: of an output of another step."""

    kind: ReferenceKind
    name: str
    step: str = ""

    def __str__(self) -> str:
        return f"${{steps.{self.step}.outputs.{self.name}}}" if self.step else f"${{{self.kind}.{self.name}}}"


@dataclass(frozen=True, slots=True)
class Unknown:
    """``${...}`` that names nothing.  :param text: as it is written."""

    text: str


Part = str | Reference | Unknown


def parts_of(text: str) -> tuple[Part, ...]:
    """A text as plain texts and references, in their order; no plain text is empty."""
    return tuple(_joined(_parts(text)))


def _parts(text: str) -> Iterator[Part]:
    end = 0
    for match in _TOKEN.finditer(text):
        yield text[end : match.start()]
        end = match.end()
        inner = match["inner"]
        if match[0] == "$${":
            yield "${"
        elif inner is not None and (simple := _SIMPLE.match(inner.strip())):
            yield Reference(simple[1], simple[2])  # type: ignore[arg-type]
        elif inner is not None and (output := _OUTPUT.match(inner.strip())):
            yield Reference("output", output["output"], output["step"])
        else:
            yield Unknown(match[0])
    yield text[end:]


def _joined(parts: Iterator[Part]) -> Iterator[Part]:
    plain = ""
    for part in parts:
        if isinstance(part, str):
            plain += part
            continue
        if plain:
            yield plain
        plain = ""
        yield part
    if plain:
        yield plain


def template_of(name: str) -> str:
    """A run parameter as Airflow renders it."""
    return f"{{{{ params.{name} }}}}"


def written(text: str, params: Collection[str]) -> str:
    """A text as a pipeline's file says it: the way back from :func:`template_of`.

    :param params: the pipeline's parameters; a template that reads another one stays as it is.
    """

    def one(match: re.Match[str]) -> str:
        if match["name"] is None:
            return "$${"
        return f"${{params.{match['name']}}}" if match["name"] in params else match[0]

    return _WRITE.sub(one, text)
