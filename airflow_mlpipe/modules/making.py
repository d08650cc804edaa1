"""Make a module: a skeleton that runs, or the folder of a step that there is already."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.modules.definition import API, FILE, ModuleDefinition
from airflow_mlpipe.modules.reading import read_module
from airflow_mlpipe.modules.requests import check_module_name

_MODULE = """\
api: mlpipe/module/v1
name: {name}
version: 0.1.0
description: What it makes of what.
owner: ""
licence: ""
tags: []

inputs:
  data: {{type: table.csv, kind: file, description: what it reads}}
outputs:
  result: {{type: table.csv, filename: result.csv, description: what it writes}}
params:
  factor: {{type: number, default: 2.0, description: that the numbers are multiplied with}}

script: main.py
arguments:
  - --data
  - ${{inputs.data}}
  - --factor
  - ${{params.factor}}
  - --result
  - ${{outputs.result}}

deterministic: true
"""

_SCRIPT = '''\
"""An ordinary program: it gets paths and values as arguments, and runs by hand as well."""

import argparse
import csv
from pathlib import Path


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--factor", type=float, default=2.0)
    parser.add_argument("--result", type=Path, required=True)
    args = parser.parse_args()
    with args.data.open(newline="") as source, args.result.open("w", newline="") as target:
        writer = csv.writer(target)
        for row in csv.reader(source):
            writer.writerow([float(cell) * args.factor for cell in row])


if __name__ == "__main__":
    main()
'''

_CASE = """\
inputs: {data: data.csv}
params: {factor: 3}
outputs:
  result: {equals: result.csv, tolerance: 0.000001}
"""

_SKELETON: Mapping[str, str] = {
    "module.yaml": _MODULE,
    "main.py": _SCRIPT,
    "tests/first/case.yaml": _CASE,
    "tests/first/data.csv": "1,2\n3,4\n",
    "tests/first/result.csv": "3.0,6.0\n9.0,12.0\n",
}


def init(folder: str | Path, *, name: str | None = None) -> list[Path]:
    """Write the skeleton of a module; the files that were written.

    :param name: of the module; by default the folder's.
    :raises DefinitionError: when the folder holds something, and for a name that is none.
    """
    folder = Path(folder)
    name = check_module_name(name or folder.absolute().name.lower(), where="module init")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DefinitionError(
            "the folder is there already", where="module init", given=str(folder), fix="choose another"
        )
    written = []
    for file, text in _SKELETON.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(name=name) if file == "module.yaml" else text, encoding="utf-8")
        written.append(path)
    read_module(folder)  # a skeleton with a mistake would be ours
    return written


def write_folder(
    folder: Path,
    name: str,
    version: str,
    about: Mapping[str, Any],
    document: Mapping[str, Any],
    files: Mapping[str, bytes],
    executable: Mapping[str, bool],
) -> ModuleDefinition:
    """Write the folder of a module, and read it.

    :param about, document: members of its ``module.yaml``. :param files: its code. :param executable: which of it are.
    :raises DefinitionError: when the folder holds something, and for mistakes.
    """
    import yaml

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DefinitionError("the folder is there already", where=f"module {name}", given=str(folder))
    head = {"api": API, "name": name, "version": version, **about}
    members = {key: value for key, value in {**head, **document}.items() if value not in ({}, [], None)}
    text = yaml.safe_dump(members, sort_keys=False, allow_unicode=True, width=110)
    folder.mkdir(parents=True, exist_ok=True)
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        if executable.get(path):
            target.chmod(0o755)
    (folder / FILE).write_text(text, encoding="utf-8")
    return read_module(folder)


def check_known(left: Mapping[str, str], ports: list[str], where: str) -> None:
    """Types that are left over are of no port.  :raises DefinitionError: naming them."""
    if left:
        raise DefinitionError("types are of ports", where=where, given=sorted(left), valid=ports)
