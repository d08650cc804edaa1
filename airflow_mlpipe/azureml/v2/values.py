"""What an input is once it is looked up: a value, a parameter of the DAG, data, or nothing."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_mlpipe.pipelines.records import DataNamed, OutputOf


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that stands in a file.

    :param text: as a program sees it: as it is written, and ``True`` or ``False`` for a bool.
    """

    text: str

    @property
    def template(self) -> str:
        """What Airflow renders to it."""
        return verbatim(self.text)


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of the DAG.  :param default: what it is when a run does not say it."""

    name: str
    default: str | None = None

    @property
    def template(self) -> str:
        """What Airflow renders to it."""
        return f"{{{{ params.{self.name} }}}}"


@dataclass(frozen=True, slots=True)
class Mixed:
    """Text with parameters in it.  :param template: what Airflow renders to it."""

    template: str


@dataclass(frozen=True, slots=True)
class Absent:
    """An optional input without a value."""


@dataclass(frozen=True, slots=True)
class Broken:
    """An input whose value cannot be made; why has been told."""


PLAIN = (Literal, Param, Mixed)
"""What is text on a command line; all else is data."""

Plain = Literal | Param | Mixed
Value = Literal | Param | Mixed | Absent | Broken | DataNamed | OutputOf


def verbatim(text: str) -> str:
    """A text as one that Airflow renders to it: what looks like a template is none."""
    if any(mark in text for mark in ("{{", "{%", "{#")):
        return "{% raw %}" + text + "{% endraw %}"
    return text


def as_text(value: object, written: str) -> str:
    """A scalar of YAML as a program sees it on its command line."""
    return str(value) if isinstance(value, bool) else written
