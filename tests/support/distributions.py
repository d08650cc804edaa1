"""Distributions that a test makes: unpacked in a folder, as pip installs them, or as a wheel."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """One of pure Python.

    :param modules: text by path. :param points: entry points: value by name, by group.
    """

    name: str
    version: str = "1.0"
    modules: Mapping[str, str]
    points: Mapping[str, Mapping[str, str]]

    def _files(self) -> dict[str, str]:
        info = f"{self.name}-{self.version}.dist-info"
        groups = [
            "\n".join([f"[{group}]", *(f"{name} = {value}" for name, value in points.items())])
            for group, points in self.points.items()
        ]
        return {name: dedent(text) for name, text in self.modules.items()} | {
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {self.name}\nVersion: {self.version}\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/entry_points.txt": "\n".join(groups) + "\n",
            f"{info}/RECORD": "",
        }

    def install(self, folder: Path) -> Path:
        """Unpack it into a folder, which is to be on the path."""
        for name, text in self._files().items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return folder

    def wheel(self, folder: Path) -> Path:
        """Pack it, as pip and uv take it."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}-{self.version}-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in self._files().items():
                archive.writestr(name, text)
        return path
