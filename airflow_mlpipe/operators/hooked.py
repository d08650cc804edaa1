"""The fingerprint of an operator with the hook: asked by the hook in a run, and by a plan before there is one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.errors import InputError, UncacheableError
from airflow_mlpipe.model.data import DataReference
from airflow_mlpipe.model.records import Producer, Reason
from airflow_mlpipe.model.reference import XCOM, OutputReference, is_reference
from airflow_mlpipe.model.reuse import Reuse

if TYPE_CHECKING:
    from airflow_mlpipe.fingerprint.identity import ContentIdentity
    from airflow_mlpipe.fingerprint.key import KeyDocument
    from airflow_mlpipe.hooks.workspace import Stores
    from airflow_mlpipe.operators.decide import Question


@dataclass(frozen=True, slots=True)
class HookOptions:
    """What ``reuse_unchanged`` was told; its parameters say what they mean."""

    inputs: tuple[DataReference, ...]
    outputs: tuple[DataReference, ...]
    params: tuple[str, ...]
    ignore_fields: frozenset[str]
    reuse: Reuse


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooked:
    """An operator with the hook as it stands in one run.

    :param key: ``None`` when something has no canonical form; ``uncacheable`` then says what.
    """

    inputs: Mapping[str, ContentIdentity]
    key: KeyDocument | None
    uncacheable: Reason | None = None


def fingerprint_hooked(hook: HookOptions, task: Any, context: Mapping[str, Any], stores: Stores) -> Hooked:
    """Look at an operator whose template fields are rendered.

    :raises InputError: for an input that is missing or cannot be read.
    """
    found = identities(hook, stores)
    try:
        key = _Asked(hook, task, context, stores).key(found)
        _ = key.fingerprint
    except UncacheableError as error:
        reason = Reason(code="UNCACHEABLE", subject=error.path, new=error.type_name)
        return Hooked(inputs=found, key=None, uncacheable=reason)
    return Hooked(inputs=found, key=key)


def identities(hook: HookOptions, stores: Stores) -> dict[str, ContentIdentity]:
    """The data that the operator was said to read, as they are now."""
    from airflow_mlpipe.runtime.identify import identify_data

    return {data.name: identify_data(data, stores) for data in hook.inputs}


def question_of(hook: HookOptions, asked: Hooked, who: Producer, stores: Stores, *, forced: str | None) -> Question:
    """What there is to decide of such an operator."""
    from airflow_mlpipe.operators.decide import Question

    return Question(
        step=who,
        key=asked.key,
        reuse=hook.reuse,
        forced=forced,
        uncacheable=asked.uncacheable,
        gone=lambda output: _is_gone(output, hook, stores),
    )


def _is_gone(output: OutputReference, hook: HookOptions, stores: Stores) -> bool:
    """Whether data that the operator wrote are not there, or not as they were."""
    from airflow_mlpipe.operators.attempt import is_gone
    from airflow_mlpipe.runtime.identify import identify_data

    if output.format == XCOM:  # a step's long result that the operator handed on
        return is_gone(output, stores)
    data = next((d for d in hook.outputs if d.name == output.name), None)
    try:
        return data is None or identify_data(data, stores).digest != output.identity
    except InputError:
        return True


class _Asked:
    """One rendered operator."""

    def __init__(self, hook: HookOptions, task: Any, context: Mapping[str, Any], stores: Stores) -> None:
        self.hook, self.task, self.context, self.stores = hook, task, context, stores

    def key(self, inputs: Mapping[str, ContentIdentity]) -> KeyDocument:
        from airflow_mlpipe.fingerprint.key import operator_key
        from airflow_mlpipe.operators.masking import typed_params

        reuse, salt = self.hook.reuse, self.stores.workspace.salt
        return operator_key(
            f"operator:{type(self.task).__module__}.{type(self.task).__qualname__}",
            fields=self._fields(),
            code=self._code(),
            inputs=inputs,
            environment=self._environment(),
            params=typed_params(self.context["params"], set(self.hook.params) - set(reuse.ignore), salt),
            outputs={d.name: {"datastore": d.datastore.name, "path": d.path} for d in self.hook.outputs},
            version=reuse.version,
            salt=self.stores.settings.salt,
        )

    def _environment(self) -> dict[str, Any]:
        """Python and platform of the worker, for an operator that runs a function in it."""
        if getattr(self.task, "python_callable", None) is None:
            return {}
        from airflow_mlpipe.fingerprint.environment import environment_identity
        from airflow_mlpipe.model.environment import Environment

        found = environment_identity(Environment(), root="", imports=frozenset(), worker_variables={})
        return {name: found[name] for name in ("python", "platform")}

    def _fields(self) -> dict[str, Any]:
        names = [n for n in self.task.template_fields if n not in self.hook.ignore_fields]
        written = self.context["dag"].get_task(self.task.task_id)
        return {name: self._field(name, getattr(written, name, None)) for name in names}

    def _field(self, name: str, written: Any) -> Any:
        """A rendered field as the key sees it; a text into which a parameter with a secret's name went, by a digest."""
        from airflow_mlpipe.operators.masking import has_secret_name, salted, without_secrets
        from airflow_mlpipe.operators.templates import reads

        value, salt = _content(getattr(self.task, name, None)), self.stores.workspace.salt
        if isinstance(written, str) and isinstance(value, str):
            names = reads(written).params
            if any(has_secret_name(n) for n in (self.context["params"] if names is None else names)):
                return salted(value, salt)
        return without_secrets(value, salt, name)

    def _code(self) -> dict[str, str]:
        """Digests of the source of a ``python_callable``, and of what it uses of its file and its folder."""
        function = getattr(self.task, "python_callable", None)
        if function is None:
            return {}
        from airflow_mlpipe.operators.callables import code_of_function

        return code_of_function(function, self.stores.cache)


def _content(value: Any) -> Any:
    """Rendered fields with references reduced to what they stand for, so that where they lie does not count."""
    if is_reference(value):
        return {"mlpipe-content": value["identity"], "kind": value["kind"], "filename": value.get("filename", "")}
    if isinstance(value, Mapping):
        return {k: _content(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_content(v) for v in value]
    if hasattr(value, "__iter__") and type(value).__name__ == "LazyXComSequence":
        return [_content(v) for v in value]
    return value
