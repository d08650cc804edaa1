"""What the texts of steps may name, and what they become."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_mlpipe.model.step import InputPath, OutputPath
from airflow_mlpipe.pipelines.records import ArgumentText, DataNamed, OuterInput, OutputOf, Source
from airflow_mlpipe.pipelines.references import FORMS, Reference, Unknown, parts_of
from airflow_mlpipe.written.mistakes import Mistakes, nearest
from airflow_mlpipe.written.places import Place


@dataclass(slots=True, kw_only=True)
class Scope:
    """What is around the steps.

    :param params: by name, what ``${params.NAME}`` stands for: a template, or a value. :param data: names of data.
    :param inputs: names of the inputs of what the steps are in; ``None``: a pipeline, which has none.
    :ivar wanted: outputs of steps that were named, to be checked when all steps are known.
    """

    mistakes: Mistakes
    params: Mapping[str, Any] = field(default_factory=dict)
    data: Collection[str] = ()
    inputs: Collection[str] | None = None
    wanted: list[tuple[Place, OutputOf]] = field(default_factory=list)

    def text(self, text: str, place: Place) -> Any:
        """A text with its parameters filled in; one that is a parameter and nothing else is what that stands for."""
        parts = [self._part(part, place) for part in parts_of(text)]
        if len(parts) == 1:
            return parts[0]
        return "".join(str(part) for part in parts)

    def value(self, value: Any, place: Place) -> Any:
        """A value with the texts in it filled in."""
        if isinstance(value, str):
            return self.text(value, place)
        if isinstance(value, list):
            return [self.value(one, (*place, index)) for index, one in enumerate(value)]
        if isinstance(value, Mapping):
            return {name: self.value(one, (*place, name)) for name, one in value.items()}
        return value

    def _part(self, part: str | Reference | Unknown, place: Place) -> Any:
        if isinstance(part, str):
            return part
        if isinstance(part, Unknown):
            self.unknown(part, place)
            return ""
        if part.kind == "params":
            return self._param(part, place)
        self.mistakes.add(
            place,
            "a path is an argument of its own, and no part of a text",
            given=str(part),
            fix="make it an item of arguments",
        )
        return ""

    def _param(self, part: Reference, place: Place) -> Any:
        if part.name not in self.params:
            self._no_such("parameter", part.name, self.params, place)
        return self.params.get(part.name, "")

    def unknown(self, part: Unknown, place: Place) -> None:
        """``${...}`` that names nothing."""
        double = part.text.startswith("${{")
        fix = "write one pair of braces; two are Azure ML's" if double else f"for the text itself write ${part.text}"
        self.mistakes.add(place, "this names nothing", given=part.text, valid=FORMS, fix=fix)

    def argument(self, value: Any, place: Place) -> ArgumentText | Source | None:
        """An argument; ``None`` when it is none."""
        if isinstance(value, (bool, int, float)):
            return value
        if not isinstance(value, str):
            self.mistakes.add(place, "an argument is text, a number, a bool, or ${...}", given=value)
            return None
        parts = parts_of(value)
        if len(parts) == 1 and isinstance(parts[0], Reference) and parts[0].kind != "params":
            reference = parts[0]
            if reference.kind == "inputs":
                return InputPath(reference.name)
            if reference.kind == "outputs":
                return OutputPath(reference.name)
            return self._source(reference, place)
        found: ArgumentText = self.text(value, place)
        return found

    def source(self, value: Any, place: Place) -> Source | None:
        """Where an input comes from; ``None`` when that is a mistake."""
        parts = parts_of(value) if isinstance(value, str) else ()
        if len(parts) == 1 and isinstance(parts[0], Unknown):
            self.unknown(parts[0], place)
            return None
        if len(parts) != 1 or not isinstance(parts[0], Reference) or parts[0].kind in ("params", "outputs"):
            valid = "${data.NAME}, ${steps.TASK.outputs.NAME}" + (", ${inputs.NAME}" if self.inputs is not None else "")
            self.mistakes.add(place, "an input is data", given=value, valid=valid)
            return None
        return self._source(parts[0], place)

    def _source(self, reference: Reference, place: Place) -> Source | None:
        if reference.kind == "output":
            found = OutputOf(reference.step, reference.name)
            self.wanted.append((place, found))
            return found
        if reference.kind == "data":
            return DataNamed(reference.name) if self._there("data", reference.name, self.data, place) else None
        if self.inputs is None:
            self.mistakes.add(
                place,
                "a pipeline has no inputs",
                given=str(reference),
                valid="${data.NAME}, ${steps.TASK.outputs.NAME}",
            )
            return None
        return OuterInput(reference.name) if self._there("input", reference.name, self.inputs, place) else None

    def _there(self, what: str, name: str, known: Collection[str], place: Place) -> bool:
        if name not in known:
            self._no_such(what, name, known, place)
        return name in known

    def _no_such(self, what: str, name: str, known: Collection[str], place: Place) -> None:
        article = "there are no" if what == "data" else "there is no"
        self.mistakes.add(
            place,
            f"{article} {what} of this name",
            given=name,
            valid=sorted(known) or "none is declared",
            fix=nearest(name, known),
        )
