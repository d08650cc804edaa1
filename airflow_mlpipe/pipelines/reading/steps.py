"""The member ``steps``: of a pipeline, and of a module that is one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from airflow_mlpipe.model.data import Datastore
from airflow_mlpipe.model.reuse import Reuse
from airflow_mlpipe.model.step import InputPath, OutputPath
from airflow_mlpipe.pipelines.reading import values
from airflow_mlpipe.pipelines.reading.expansion import read_expansion
from airflow_mlpipe.pipelines.reading.order import all_sources, check_order, check_outputs
from airflow_mlpipe.pipelines.reading.ports import Ports
from airflow_mlpipe.pipelines.reading.scope import Scope
from airflow_mlpipe.pipelines.reading.settings import read_settings
from airflow_mlpipe.pipelines.reading.transfer import read_transfer
from airflow_mlpipe.pipelines.records import ArgumentText, Step, StepKind
from airflow_mlpipe.pipelines.settings import STEP_SETTINGS
from airflow_mlpipe.written.environment import read_environment
from airflow_mlpipe.written.members import Members
from airflow_mlpipe.written.mistakes import nearest
from airflow_mlpipe.written.places import Place
from airflow_mlpipe.written.resources import read_resources

KINDS: tuple[StepKind, ...] = ("script", "command", "module", "transfer")
_ANY = ("group", "after", "reuse", "allow_reuse", *STEP_SETTINGS)
_PROGRAM = (
    "inputs",
    "outputs",
    "source",
    "parameters",
    "resource_inputs",
    "code",
    "include",
    "environment",
    "compute",
    "resources",
    "secrets",
    "deferrable",
    "sorted_listings",
    "expand",
)
MEMBERS: dict[StepKind, tuple[str, ...]] = {
    "script": ("script", "arguments", *_PROGRAM, *_ANY),
    "command": ("command", *_PROGRAM, *_ANY),
    "module": (
        "module",
        "inputs",
        "outputs",
        "params",
        "environment",
        "compute",
        "resources",
        "secrets",
        "deferrable",
        *_ANY,
    ),
    "transfer": ("transfer", *_ANY),
}
"""What a step of each kind may say."""

DEFAULTS = ("source", "environment", "compute", "resources", "reuse", "code", "deferrable", *STEP_SETTINGS)
"""What can be said once for all steps."""

_CODE = ("closure", "directory", "version")


def read_steps(
    value: Any,
    place: Place,
    scope: Scope,
    *,
    datastores: Mapping[str, Datastore] | None = None,
    defaults: Mapping[str, Any] | None = None,
    defaults_place: Place = ("defaults",),
) -> tuple[Step, ...]:
    """Read the steps, and check that what they name of each other is there.

    :param value: a mapping of task id to step. :param defaults: members that a step has unless it says them itself.
    """
    mistakes = scope.mistakes
    if not isinstance(value, Mapping) or not value:
        mistakes.add(place, "steps is a mapping of names to steps, one at least", given=value)
        return ()
    found = []
    for name, one in value.items():
        reading = _Reading(str(name), one, (*place, name), scope, datastores or {}, defaults or {}, defaults_place)
        if (step := reading.step()) is not None:
            found.append(step)
    # Who takes a step's data waits for it anyway.
    steps = tuple(
        replace(s, after=tuple(n for n in s.after if n not in {o.step for o in all_sources(s)})) for s in found
    )
    check_outputs(steps, value, scope)
    check_order(steps, value, place, scope)
    return steps


class _Reading:
    def __init__(
        self,
        name: str,
        value: Any,
        place: Place,
        scope: Scope,
        datastores: Mapping[str, Datastore],
        defaults: Mapping[str, Any],
        defaults_place: Place,
    ) -> None:
        self.name, self.place, self.scope, self.datastores = name, place, scope, datastores
        self._value, self._defaults, self._defaults_place = value, defaults, defaults_place

    def step(self) -> Step | None:
        """The step; ``None`` when it cannot be told what it is."""
        mistakes = self.scope.mistakes
        if not isinstance(self._value, Mapping):
            mistakes.add(self.place, "a step is a mapping of names to values", given=self._value)
            return None
        kinds = [kind for kind in KINDS if kind in self._value]
        if len(kinds) != 1:
            advice = nearest(next(iter(self._value), ""), KINDS) if not kinds else "remove all but one"
            mistakes.add(self.place, "a step is one of these", given=kinds or None, valid=KINDS, fix=advice)
            return None
        kind = kinds[0]
        members = self.members = Members(self._value, self.place, mistakes, what=f"a {kind} step", known=MEMBERS[kind])
        filled = {n: v for n, v in self._defaults.items() if n in MEMBERS[kind] and n not in self._value}
        self.filled = Members(filled, self._defaults_place, mistakes, what="defaults")
        if kind == "transfer":
            return self._transfer()
        self.ports = Ports(self.scope)
        self.ports.add_all(members.raw("inputs"), members.at("inputs"))
        outputs = self._outputs()
        arguments = self._arguments("command" if kind == "command" else "arguments")
        resources = Ports(self.scope)
        resources.add_all(members.raw("resource_inputs"), members.at("resource_inputs"))
        parameters = self._parameters("params" if kind == "module" else "parameters")
        expand = read_expansion(members, self.scope, self.ports) if members.raw("expand") is not None else None
        self._check_paths(arguments, outputs, expand is not None and expand.inputs is not None)
        script, module = (members.text(n) if n == kind else None for n in ("script", "module"))
        for name, said in (("script", script), ("module", module)):
            if kind == name and not said:
                members.wrong(name, f"{name} is the name of a {name}")
        deferrable, sorted_listings = (
            self._first("deferrable").boolean("deferrable"),
            members.boolean("sorted_listings"),
        )
        return Step(
            task_id=self.name,
            kind=kind,
            group=members.text("group"),
            arguments=arguments,
            script=script,
            module=module,
            source=self._source(kind),
            inputs=tuple(self.ports.found),
            resource_inputs=tuple(resources.found),
            outputs=outputs,
            parameters=parameters,
            code=self._first("code").choice("code", _CODE),  # type: ignore[arg-type]
            include=members.texts("include"),
            environment=self._made("environment", read_environment),
            compute=self._first("compute").text("compute") or "local",
            resources=self._made("resources", read_resources),
            reuse=self._reuse(),
            secrets=self._secrets(),
            deferrable=deferrable,
            sorted_listings=True if sorted_listings is None else sorted_listings,
            expand=expand,
            after=tuple(sorted({*members.texts("after")})),
            settings=self._settings(),
        )

    def _transfer(self) -> Step:
        at = self.members.at("transfer")
        inputs, outputs, options = read_transfer(self.members.raw("transfer"), at, self.scope, self.datastores)
        return Step(
            task_id=self.name,
            kind="transfer",
            group=self.members.text("group"),
            inputs=inputs,
            outputs=outputs,
            options=options,
            reuse=self._reuse(),
            after=tuple(sorted({*self.members.texts("after")})),
            settings=self._settings(),
        )

    def _first(self, name: str) -> Members:
        """Where a member is said: in the step, else in the defaults."""
        return self.members if name in self.members else self.filled

    def _made(self, name: str, read: Callable[..., Any]) -> Any:
        members = self._first(name)
        value = members.raw(name)
        return None if value is None else read(value, members.at(name), self.scope.mistakes)

    def _source(self, kind: StepKind) -> str | None:
        said = self._first("source").text("source")
        return said or ("." if kind == "script" else None)

    def _settings(self) -> dict[str, Any]:
        filled = read_settings(self.filled, {n: k for n, k in STEP_SETTINGS.items() if n not in self.members})
        own = read_settings(self.members, STEP_SETTINGS)
        return {name: (filled | own)[name] for name in STEP_SETTINGS if name in filled or name in own}

    def _reuse(self) -> Reuse | None:
        found: Reuse | None = self._made("reuse", values.read_reuse)
        allowed = self.members.boolean("allow_reuse")
        if allowed is None or allowed:
            return None if found == Reuse() and "module" not in self.members else found
        if found is not None and found.policy != "if_unchanged":
            what = "allow_reuse: false and a reuse policy contradict each other"
            self.members.wrong("allow_reuse", what, fix="give one")
        return replace(found or Reuse(), policy="never", max_age=None)

    def _secrets(self) -> dict[str, Any]:
        said = self.members.mapping("secrets")
        at = self.members.at("secrets")
        found = {n: values.read_secret(v, (*at, n), self.scope.mistakes) for n, v in said.items()}
        return {name: secret for name, secret in found.items() if secret is not None}

    def _parameters(self, name: str) -> dict[str, Any]:
        at = self.members.at(name)
        return {n: self.scope.value(v, (*at, n)) for n, v in self.members.mapping(name).items()}

    def _arguments(self, name: str) -> tuple[ArgumentText, ...]:
        if name == "command" and isinstance(self.members.raw(name), str):
            fix = "command: [program, argument]; for a shell: command: [bash, -c, ...]"
            self.members.wrong(name, "command is a list, one item an argument; no shell reads it", fix=fix)
            return ()
        expand = self.members.raw("expand")
        mapped = isinstance(expand, Mapping) and "arguments" in expand
        if name == "command" and self.members.raw(name) in (None, []) and not mapped:
            self.members.wrong(name, "the command is empty", fix="command: [program, argument]")
        found = self.members.sequence(name)
        return self.ports.arguments(found, self.members.at(name))

    def _outputs(self) -> tuple[Any, ...]:
        said = self.members.raw("outputs")
        at = self.members.at("outputs")
        if isinstance(said, list):  # names alone: folders
            said = dict.fromkeys(self.members.texts("outputs"))
        elif not isinstance(said, Mapping):
            said = self.members.mapping("outputs")
        found = [values.read_output(n, v, (*at, n), self.scope.mistakes, self.datastores) for n, v in said.items()]
        return tuple(output for output in found if output is not None)

    def _check_paths(self, arguments: tuple[ArgumentText, ...], outputs: tuple[Any, ...], mapped: bool) -> None:
        """Every port that an argument names is one of the step's."""
        name = "command" if "command" in self.members else "arguments"
        known = {InputPath: [port.name for port in self.ports.found], OutputPath: [o.name for o in outputs]}
        for index, argument in enumerate(arguments):
            for kind, what in ((InputPath, "input"), (OutputPath, "output")):
                if not isinstance(argument, kind) or argument.name in known[kind] or (mapped and kind is InputPath):
                    continue
                at = (*self.members.at(name), index)
                self.scope.mistakes.add(
                    at,
                    f"the step has no such {what}",
                    given=argument.name,
                    valid=known[kind] or f"the step declares no {what}s",
                    fix=nearest(argument.name, known[kind]),
                )
