"""The key document: everything that determines a step's result, readable, and its digest, the fingerprint.

Its members are resolved values at run time: contents, not recipes, so a step whose upstream ran again and produced the
same bytes has the same key.  Not in it, because they do not change a result: names of DAGs, tasks, runs and users,
paths, URIs and times, compute target, resources, retries.  What is there to be read only (``shown``: templates as the
author wrote them, sizes, members of inputs) is stored and does not count.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from airflow_mlpipe.errors import CorruptedError
from airflow_mlpipe.fingerprint.canonical import dump, plain
from airflow_mlpipe.fingerprint.code import code_identity
from airflow_mlpipe.fingerprint.identity import ContentIdentity
from airflow_mlpipe.model.code import CodeSnapshot
from airflow_mlpipe.model.documents import check_tag, tag
from airflow_mlpipe.model.step import Argument, InputPath, OutputPath, OutputPort, StepSpec, Template, Text

_DOMAIN = b"mlpipe.key/1\0"
_VERSION = 1
_PLACEHOLDER = re.compile(r"\{\{(.*?)\}\}|\{%|\{#", re.DOTALL)
_PARAM = re.compile(r"""\s*params(?:\.(\w+)|\[\s*(['"])(\w+)\2\s*\])\s*\Z""")


@dataclass(frozen=True, kw_only=True)  # no slots: the fingerprint is kept once computed
class KeyDocument:
    """What determines a result.

    :param step: kind of step. :param code: ``{"entry", "mode", "files": {path: digest}}``; empty without code.
    :param command: of each argument ``{"text"}``, ``{"input"}``, ``{"output"}``, ``{"template"}`` or ``{"field"}``.
    :param params: canonical values. :param inputs: by port. :param outputs: by port: kind, file name, options.
    :param environment: see :mod:`.environment`. :param secrets: ``NAME=reference``, sorted, never values.
    :param shown: templates of arguments by position; for people, not counted.
    """

    step: str
    code: Mapping[str, Any] = field(default_factory=dict)
    command: tuple[Mapping[str, Any], ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, ContentIdentity] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    version: str | None = None
    salt: str = ""
    shown: Mapping[str, str] = field(default_factory=dict, compare=False)

    @cached_property
    def fingerprint(self) -> str:
        """``mlp1:`` and 64 hex digits."""
        counted = self._members() | {"inputs": {name: i.deciding for name, i in self.inputs.items()}}
        return f"mlp1:{hashlib.sha256(_DOMAIN + dump(counted)).hexdigest()}"

    def _members(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "code": dict(self.code),
            "command": [dict(argument) for argument in self.command],
            "params": dict(self.params),
            "outputs": dict(self.outputs),
            "environment": dict(self.environment),
            "secrets": list(self.secrets),
            "version": self.version,
            "salt": self.salt,
        }

    def to_json(self) -> dict[str, Any]:
        """The document in the store."""
        inputs = {name: identity.to_json() for name, identity in self.inputs.items()}
        return tag("key", _VERSION) | self._members() | {"inputs": inputs, "shown": dict(self.shown)}

    @classmethod
    def from_json(cls, document: object, *, where: str = "key document") -> KeyDocument:
        """Read :meth:`to_json` back.

        :raises CorruptedError: when it is none. :raises WorkspaceVersionError: when it is newer.
        """
        members = check_tag(document, "key", _VERSION, where=where)
        try:
            return cls(
                step=members["step"],
                code=members["code"],
                command=tuple(members["command"]),
                params=members["params"],
                inputs={name: ContentIdentity.from_json(i) for name, i in members["inputs"].items()},
                outputs=members["outputs"],
                environment=members["environment"],
                secrets=tuple(members["secrets"]),
                version=members["version"],
                salt=members["salt"],
                shown=members.get("shown", {}),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise CorruptedError(f"members are missing ({error!r})", where=where) from error


def build_key(
    spec: StepSpec,
    *,
    snapshot: CodeSnapshot | None,
    inputs: Mapping[str, ContentIdentity],
    environment: Mapping[str, Any],
    salt: str = "",
    templated_params: Mapping[str, Any] | None = None,
) -> KeyDocument:
    """The key of a step of this package.

    :param inputs: identity of every input that the step gets (an optional one that was not written is absent).
    :param environment: from :func:`.environment.environment_identity`.
    :param templated_params: run parameters that the step's templates refer to, typed: a template renders 0.1 and "0.1"
        to the same text, here they differ.

    Secrets are out of all these values already: what may not be written down of an argument or a parameter is a
    :class:`~airflow_mlpipe.model.step.Template`.

    :raises UncacheableError: for a value without a canonical form; its path leads to it.
    """
    arguments = [_argument(a, f"command[{i}]") for i, a in enumerate(spec.command)]
    code = {}
    if spec.code is not None and snapshot is not None:
        code = {"entry": spec.code.entry, "mode": spec.code.mode, "files": dict(code_identity(snapshot))}
    if spec.function is not None and snapshot is not None:
        code = {"entry": spec.function.name, "mode": "function", "files": dict(code_identity(snapshot))}
    return KeyDocument(
        step=spec.kind,
        code=code,
        command=tuple(arguments),
        params=_params(spec.parameters, templated_params or {}),
        inputs=dict(sorted(inputs.items())),
        outputs={port.name: _output(port) for port in spec.outputs},
        environment={**environment, "sorted_listings": spec.sorted_listings},
        secrets=tuple(sorted(f"{name}={secret.reference}" for name, secret in spec.secrets.items())),
        version=spec.reuse.version,
        salt=salt,
        shown=_templates(spec.command),
    )


def operator_key(
    kind: str,
    *,
    fields: Mapping[str, Any],
    code: Mapping[str, str] | None = None,
    inputs: Mapping[str, ContentIdentity] | None = None,
    params: Mapping[str, Any] | None = None,
    outputs: Mapping[str, Any] | None = None,
    environment: Mapping[str, Any] | None = None,
    version: str | None = None,
    salt: str = "",
) -> KeyDocument:
    """The key of an operator that is not ours.

    :param kind: the operator's class, with its module. :param fields: its rendered fields that count.
    :param code: digests by name: of a function's source, of files. :param outputs: plain options by port.
    :raises UncacheableError: for a value without a canonical form; its path leads to it.
    """
    command = tuple(
        {"field": name, "value": plain(value, path=f"fields.{name}")} for name, value in sorted(fields.items())
    )
    return KeyDocument(
        step=kind,
        code={"entry": None, "mode": "declared", "files": dict(sorted(code.items()))} if code else {},
        command=command,
        params=_params(params or {}, {}),
        inputs=dict(sorted((inputs or {}).items())),
        outputs={name: plain(value, path=f"outputs.{name}") for name, value in sorted((outputs or {}).items())},
        environment=plain(dict(environment or {}), path="environment"),
        version=version,
        salt=salt,
    )


def _argument(argument: Argument, path: str) -> dict[str, Any]:
    match argument:
        case InputPath(name):
            return {"input": name}
        case OutputPath(name):
            return {"output": name}
        case Text(_, Template(text)):
            return {"template": text}
        case Text(_, value):
            return {"text": plain(value, path=path)}


def params_of_template(template: str) -> frozenset[str]:
    """The run parameters of a template that consists of nothing else; empty when it is none."""
    names = set()
    for match in _PLACEHOLDER.finditer(template):
        param = _PARAM.match(match[1] or "")
        if param is None:
            return frozenset()
        names.add(param[1] or param[3])
    return frozenset(names)


def _params(own: Mapping[str, Any], run: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of the step by their names; run parameters too, as ``params.x`` where the step has its own ``x``."""
    named = {**own, **{f"params.{name}" if name in own else name: value for name, value in run.items()}}
    return {name: _param(value, f"params.{name}") for name, value in sorted(named.items())}


def _param(value: Any, path: str) -> Any:
    return {"$type": "template", "value": value.text} if isinstance(value, Template) else plain(value, path=path)


def _output(port: OutputPort) -> dict[str, Any]:
    data = port.data
    options: dict[str, Any] = {"kind": data.kind, "optional": data.optional}
    if data.kind == "file":
        options["filename"] = data.basename
    if data.volatile:
        options["volatile"] = [[v.files, v.pattern] for v in data.volatile]
    return options


def _templates(command: tuple[Argument, ...]) -> dict[str, str]:
    return {str(i): a.template for i, a in enumerate(command) if isinstance(a, Text) and a.template != str(a.value)}
