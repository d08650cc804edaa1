"""A folder or a volume of the engine's machine in a container, and where one may lie."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from airflow_mlpipe.errors import DefinitionError

_VOLUME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*\Z")
_FORM = "SOURCE:TARGET, SOURCE:TARGET:ro or SOURCE:TARGET:rw, with a folder or a volume's name as SOURCE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One mount.

    :param source: an absolute path on the engine's machine, or the name of a volume.
    :param target: an absolute path in the container.
    """

    source: str
    target: str
    read_only: bool

    @property
    def is_folder(self) -> bool:
        """Whether the source is a path, and not a volume's name."""
        return self.source.startswith("/")

    def is_below(self, allowed: Iterable[str]) -> bool:
        """Whether the source is one of these folders or volumes, or lies below one of the folders."""
        return any(self.source == one or self.source.startswith(one.rstrip("/") + "/") for one in allowed)

    def document(self) -> dict[str, Any]:
        """The mount as the Engine API takes it."""
        return {
            "Type": "bind" if self.is_folder else "volume",
            "Source": self.source,
            "Target": self.target,
            "ReadOnly": self.read_only,
        }


def parse_mount(text: object, *, where: str) -> Mount:
    """``"/data:/data:ro"``.  Without a mode it is read-only: a task that writes there says so.

    :raises DefinitionError: when it has another form, naming ``where``.
    """
    parts = text.split(":") if isinstance(text, str) else []
    source, target, mode = (*parts, "ro")[:3] if len(parts) in (2, 3) else ("", "", "")
    valid = (
        (source.startswith("/") or _VOLUME.match(source)) and posixpath.isabs(target) and mode in ("ro", "rw")
    )  # a relative path would be one of the engine's process
    if not valid:
        raise DefinitionError("not a mount", where=where, given=text, valid=_FORM)
    normal = posixpath.normpath(source) if source.startswith("/") else source
    return Mount(source=normal, target=posixpath.normpath(target), read_only=mode == "ro")
