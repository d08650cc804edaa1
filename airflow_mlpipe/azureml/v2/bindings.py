"""``${{...}}`` and ``$[[...]]`` in texts of v2."""

from __future__ import annotations

import re
from dataclasses import dataclass

_BINDING = re.compile(r"\$\{\{\s*(.*?)\s*\}\}", re.DOTALL)
_OPTIONAL = re.compile(r"\$\[\[(.*?)\]\]", re.DOTALL)
_PARENT_INPUT = re.compile(r"parent\.inputs\.(\w+)\Z")
_JOB_OUTPUT = re.compile(r"parent\.jobs\.(\w+)\.outputs\.(\w+)\Z")
_PARENT_OUTPUT = re.compile(r"parent\.outputs\.(\w+)\Z")
_OWN = re.compile(r"(inputs|outputs)\.(\w+)\Z")


@dataclass(frozen=True, slots=True)
class Bound:
    """What stands in ``${{...}}``, as it is written."""

    inner: str

    @property
    def parent_input(self) -> str | None:
        """The name, of ``parent.inputs.NAME``."""
        match = _PARENT_INPUT.match(self.inner)
        return match[1] if match else None

    @property
    def job_output(self) -> tuple[str, str] | None:
        """Job and output, of ``parent.jobs.JOB.outputs.NAME``."""
        match = _JOB_OUTPUT.match(self.inner)
        return (match[1], match[2]) if match else None

    @property
    def parent_output(self) -> str | None:
        """The name, of ``parent.outputs.NAME``."""
        match = _PARENT_OUTPUT.match(self.inner)
        return match[1] if match else None

    @property
    def own(self) -> tuple[str, str] | None:
        """``inputs`` or ``outputs`` and the name, in a component's command."""
        match = _OWN.match(self.inner)
        return (match[1], match[2]) if match else None

    def __str__(self) -> str:
        return f"${{{{{self.inner}}}}}"


@dataclass(frozen=True, slots=True)
class Maybe:
    """What is there only if the optional inputs in it are."""

    parts: tuple[str | Bound, ...]


def parts_of(text: str) -> list[str | Bound]:
    """A text as texts and bindings, in their order."""
    found: list[str | Bound] = []
    end = 0
    for match in _BINDING.finditer(text):
        if match.start() > end:
            found.append(text[end : match.start()])
        found.append(Bound(match[1]))
        end = match.end()
    if end < len(text):
        found.append(text[end:])
    return found


def command_parts(text: str) -> list[str | Bound | Maybe]:
    """A command as texts, bindings, and what is optional."""
    found: list[str | Bound | Maybe] = []
    end = 0
    for match in _OPTIONAL.finditer(text):
        found += parts_of(text[end : match.start()])
        found.append(Maybe(tuple(parts_of(match[1]))))
        end = match.end()
    return [*found, *parts_of(text[end:])]


def only_binding(value: object) -> Bound | None:
    """The binding, of a text that is one and nothing else."""
    parts = parts_of(value.strip()) if isinstance(value, str) else []
    return parts[0] if len(parts) == 1 and isinstance(parts[0], Bound) else None
