"""What of a step's rendered values its key holds: everything that decides, nothing that is ignored, no secret."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_mlpipe.model.step import Argument, Template, Text
from airflow_mlpipe.operators.masking import (
    MASK,
    Salt,
    has_secret_name,
    is_masked,
    salted,
    typed_params,
    without_secrets,
)
from airflow_mlpipe.operators.templates import reads


@dataclass(frozen=True, slots=True, kw_only=True)
class Hashing:
    """The rules of one step in one run.

    :param ignored: run parameters that do not count. :param run: the run's parameters, typed.
    :param salt: for digests of texts that may be secrets.
    """

    ignored: frozenset[str]
    run: Mapping[str, Any]
    salt: Salt

    def argument(self, argument: Argument) -> Argument:
        """An argument as the key sees it."""
        if not isinstance(argument, Text):
            return argument
        value = self.value(argument.template, argument.value)
        # A secret that somebody wrote into the DAG file is in the template as well.
        return Text(value.text if isinstance(value, Template) else argument.template, value)

    def value(self, template: Any, value: Any, name: str = "") -> Any:
        """A value as the key sees it.

        The value itself, unless the template reads an ignored parameter: then the template stands for it, and what
        else it reads counts through the typed run parameters.  Where Airflow knows a secret in it, the template stands
        for it, too: the reference, never the value.  Where a parameter in it has a secret's name, a keyed digest does.

        :param name: of the parameter that has the value.
        """
        if not isinstance(template, str):
            return without_secrets(value, self.salt, name)
        read = reads(template)
        hidden = any(has_secret_name(variable) for variable in read.variables)
        if read.secret or hidden or (isinstance(value, str) and is_masked(value)):
            return Template(MASK if is_masked(template) else template)
        names = frozenset(self.run) if read.params is None else read.params
        if names & self.ignored and not read.others:
            return Template(template)
        if isinstance(value, str) and any(has_secret_name(n) for n in names):
            return Template(salted(value, self.salt))
        return without_secrets(value, self.salt, name)

    def params(self, names: Iterable[str] | None) -> dict[str, Any]:
        """Run parameters that count, typed.  :param names: that templates read; ``None``: all."""
        wanted = frozenset(self.run if names is None else names) - self.ignored
        return typed_params(self.run, wanted, self.salt)
