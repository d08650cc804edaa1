"""A process of its own for :mod:`.materializer_contract`: imports, saves and loads as another step would.

``python -m airflow_mlpipe.testing.elsewhere REQUEST.json``: what it saw is written to ``answer`` of the request.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow_mlpipe.values.materializer import own_form


def ask(request: Mapping[str, Any], folder: Path, *, seed: str) -> Mapping[str, Any]:
    """What a new process answers.

    :param request: ``home`` and ``libraries`` of the materializer; ``file``, ``module`` and ``suite`` of the test
        class; ``saved``: details of what lies in ``folder``, in the order of the values. :param seed: of its hashes.
    :raises AssertionError: when the process failed, with what it said.
    """
    path, answer = folder / "request.json", folder / "answer.json"
    path.write_text(json.dumps({**request, "folder": str(folder), "answer": str(answer)}), encoding="utf-8")
    environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run(
        [sys.executable, "-m", __name__, str(path)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"the materializer failed in another process:\n{done.stderr}"
    return dict(json.loads(answer.read_bytes()))


def main(arguments: list[str]) -> None:
    """Answer a request."""
    request = json.loads(Path(arguments[0]).read_bytes())
    module, _, name = request["home"].partition(":")
    before = set(sys.modules)
    materializer = getattr(importlib.import_module(module), name)()
    imported = sorted({*request["libraries"]} & ({*sys.modules} - before))
    suite = _suite(request)
    folder = Path(request["folder"])
    differs, lost = [], []
    for number, (label, make) in enumerate(suite.values.items()):
        path = folder / f"elsewhere-{number}{materializer.suffix}"
        value = make()
        details = materializer.save(value, path)
        ours = folder / f"{number}{materializer.suffix}"
        if details != request["saved"][number] or content(path) != content(ours):
            differs.append(label)
        form = own_form(materializer, type(value))
        if not suite.equal(value, materializer.load(ours, form, request["saved"][number])):
            lost.append(label)
    answer = {"imported": imported, "differs": differs, "lost": lost}
    Path(request["answer"]).write_text(json.dumps(answer), encoding="utf-8")


def _suite(request: Mapping[str, Any]) -> Any:
    """The test class; of a module that need not be importable by its name."""
    spec = importlib.util.spec_from_file_location(request["module"], request["file"])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[request["module"]] = module
    spec.loader.exec_module(module)
    found: Any = module
    for name in request["suite"].split("."):
        found = getattr(found, name)
    return found()


def content(path: Path) -> Mapping[str, bytes]:
    """The bytes of a file, or of the files of a folder by their paths; of an empty folder its name."""
    if path.is_file():
        return {"": path.read_bytes()}
    return {str(one.relative_to(path)): one.read_bytes() if one.is_file() else b"" for one in path.rglob("*")}


if __name__ == "__main__":
    main(sys.argv[1:])
