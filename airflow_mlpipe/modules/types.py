"""What flows through a port: types in an open, dotted hierarchy, and whether one may stand for another.

``table.parquet`` is a ``table``; ``table`` is not known to be a ``table.parquet``.  The first part may be any word: an
organisation makes types by using them.  Three words are ours: ``any`` is everything, ``file`` is every file and
``folder`` is every folder, whatever is in it.

``accepts`` is a partial order with ``any`` at its top; the property tests hold it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model.data import Kind

_TYPE = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9][a-z0-9_-]*)*\Z")
ANY = "any"
_KINDS = ("file", "folder")


@dataclass(frozen=True, slots=True)
class PortType:
    """The type of a port.

    :param name: dotted. :param kind: ``file`` or ``folder``; ``None``: either.

    :raises DefinitionError: for a name that is none, and for one that contradicts the kind.
    """

    name: str = ANY
    kind: Kind | None = None

    def __post_init__(self) -> None:
        name: object = self.name
        if not isinstance(name, str) or not _TYPE.match(name) or name.startswith(f"{ANY}."):
            raise DefinitionError(
                "not a type", where="type", given=name, valid="words with dots: table, table.parquet, model.onnx, any"
            )
        if self.kind not in (None, *_KINDS):
            raise DefinitionError("unknown kind", where="kind", given=self.kind, valid=_KINDS)
        root = self.name.partition(".")[0]
        if root in _KINDS and self.kind not in (None, root):
            raise DefinitionError(f"a {root} is no {self.kind}", where="kind", given=self.kind)
        if root in _KINDS:
            object.__setattr__(self, "kind", root)
        elif self.name == ANY and self.kind is not None:
            object.__setattr__(self, "name", self.kind)

    def __str__(self) -> str:
        said = self.kind is None or self.name.partition(".")[0] == self.kind
        return self.name if said else f"{self.name} ({self.kind})"

    def accepts(self, given: PortType) -> bool:
        """Whether something of the other type may come where this one is wanted."""
        if self.kind not in (None, given.kind):
            return False
        return self.name in (ANY, *_KINDS) or given.name == self.name or given.name.startswith(f"{self.name}.")
