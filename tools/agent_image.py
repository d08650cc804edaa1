"""The agent's image made of this machine's own Python, so that it can be had without a registry.

``python -m tools.agent_image [TAG]``.  For releases there is ``Dockerfile.agent``.
"""

from __future__ import annotations

import compileall
import hashlib
import importlib.metadata
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import Any

from tools.base_image import load

ROOT = Path(__file__).parent.parent
PARTS = ("__init__.py", "errors.py", "model", "values", "fingerprint", "store", "runtime")
"""What of the package the agent imports."""

DISTRIBUTIONS = ("tenacity", "obstore")
USER = "65532:65532"
REPOSITORY = "mlpipe-tests/agent"


def files() -> Iterator[tuple[str, Path]]:
    """Every file of the image's site-packages, with its path there."""
    package = ROOT / "airflow_mlpipe"
    for part in PARTS:
        top = package / part
        for path in [top] if top.is_file() else sorted(top.rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path
    for name in DISTRIBUTIONS:
        for listed in importlib.metadata.files(name) or ():
            path = Path(str(listed.locate()))
            if ".." not in listed.parts and "__pycache__" not in listed.parts and path.is_file():
                yield listed.as_posix(), path


def tag_of_content() -> str:
    """A tag that is another one when anything in the image is, so that clones of the project do not share one."""
    digest = hashlib.sha256()
    for name, path in files():
        data = path.read_bytes()
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
    return f"{REPOSITORY}:{digest.hexdigest()[:16]}"


def load_agent(client: Any, tag: str | None = None) -> str:
    """Give an engine the image, if it does not have it; the tag.  :param client: a ``docker.DockerClient``."""
    tag = tag or tag_of_content()
    if client.images.list(name=tag):
        return tag
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder)
        for name, path in files():
            (site / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, site / name)
        # Its root may be read-only, so nothing could be compiled later.
        mode = PycInvalidationMode.UNCHECKED_HASH
        compileall.compile_dir(folder, quiet=1, stripdir=folder, invalidation_mode=mode)
        entry = ["python3", "-m", "airflow_mlpipe.runtime.agent"]
        load(client, tag, site=site, config={"User": USER, "Entrypoint": entry, "Cmd": []})
    return tag


if __name__ == "__main__":
    import docker

    print(load_agent(docker.from_env(), *sys.argv[1:2]))
