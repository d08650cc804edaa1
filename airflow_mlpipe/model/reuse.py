"""When a step may be reused: Reuse."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from airflow_mlpipe.errors import DefinitionError

Policy = Literal["if_unchanged", "never", "refresh"]
POLICIES = ("if_unchanged", "never", "refresh")


@dataclass(frozen=True, slots=True)
class Reuse:
    """A step's reuse policy.

    :param policy: ``"if_unchanged"`` reuses a result of the same fingerprint; ``"refresh"`` always executes and
        replaces the recorded result; ``"never"`` always executes and records nothing.
    :param version: a free tag that is part of the fingerprint: change it to say "this step means something else now".
    :param ignore: names of parameters that do not count.
    :param max_age: how old a result may be, counted from when it was recorded.
    :raises DefinitionError: for an unknown policy or a max_age that is not positive.
    """

    policy: Policy = "if_unchanged"
    version: str | None = None
    ignore: tuple[str, ...] = field(default=())
    max_age: timedelta | None = None

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise DefinitionError("unknown policy", where="Reuse(policy)", given=self.policy, valid=POLICIES)
        ignore: object = self.ignore
        if isinstance(ignore, str):
            raise DefinitionError("ignore is a list of names", where="Reuse(ignore)", given=self.ignore)
        object.__setattr__(self, "ignore", tuple(sorted(self.ignore)))
        if self.version is not None and not isinstance(self.version, str):
            raise DefinitionError("version is text", where="Reuse(version)", given=self.version)
        max_age: object = self.max_age
        if max_age is not None and not (isinstance(max_age, timedelta) and max_age > timedelta(0)):
            raise DefinitionError("max_age is a positive timedelta", where="Reuse(max_age)", given=self.max_age)
