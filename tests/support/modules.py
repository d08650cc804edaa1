"""Modules for tests: a folder each, of a program that any Python runs."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

SCALE_PY = """\
import argparse
import json
import pathlib

parser = argparse.ArgumentParser()
parser.add_argument("--numbers", type=pathlib.Path)
parser.add_argument("--factor", type=float)
parser.add_argument("--shift", type=pathlib.Path)
parser.add_argument("--out", type=pathlib.Path)
parser.add_argument("--total", type=pathlib.Path)
args = parser.parse_args()
shift = float(args.shift.read_text()) if args.shift else 0.0
numbers = [float(line) * args.factor + shift for line in args.numbers.read_text().split()]
(args.out / "numbers.txt").write_text("\\n".join(map(str, numbers)))
args.total.write_text(json.dumps({"total": sum(numbers)}))
print("scaled", numbers)
"""

SCALE = """\
api: mlpipe/module/v1
name: scale
version: {version}
description: Multiplies numbers.
owner: team-a
inputs:
  numbers: {{type: table.txt, kind: file}}
  shift: {{type: file, optional: true}}
outputs:
  scaled: table.txt
  total: {{type: metrics, filename: total.json}}
params:
  factor: {{type: number, minimum: 0, default: 2}}
script: scale.py
arguments:
  - --numbers
  - ${{inputs.numbers}}
  - --factor
  - ${{params.factor}}
  - [--shift, "${{inputs.shift}}"]
  - --out
  - ${{outputs.scaled}}
  - --total
  - ${{outputs.total}}
"""


def write_module(folder: Path, yaml: str | None = None, *, version: str = "1.0", **files: str) -> Path:
    """Write a module: by default ``scale``, which multiplies numbers.

    :param files: more files, ``name__py`` for ``name.py``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "module.yaml").write_text(SCALE.format(version=version) if yaml is None else dedent(yaml))
    if yaml is None:
        (folder / "scale.py").write_text(SCALE_PY)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(dedent(text))
    return folder
