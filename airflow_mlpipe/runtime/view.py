"""Stage: where a program sees what lies on this host.

A process sees the host's own paths.  A container sees the attempt's folders below ``/mlpipe``, the same for every
attempt, and with them the few other folders of the host that a step uses.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath


@dataclass(frozen=True, slots=True)
class View:
    """A translation of paths.

    :param places: pairs of a folder of this host and where the program sees it; the first that holds a path counts.
        Empty: the program sees what we see.
    """

    places: tuple[tuple[Path, PurePosixPath], ...] = ()

    def __call__(self, path: Path) -> str:
        """A path as the program sees it; one that is in none of the folders stays as it is."""
        for folder, seen in self.places:
            if path == folder or folder in path.parents:
                return str(seen / path.relative_to(folder))
        return str(path)
