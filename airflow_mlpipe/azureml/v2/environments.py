"""Environments of v2: an image, a conda file, or a name of Azure's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mlpipe.azureml.compute import compute_kind
from airflow_mlpipe.azureml.condafile import CondaFile, parse_conda
from airflow_mlpipe.azureml.v2.nodes import Node, read_node
from airflow_mlpipe.errors import MLPipeError
from airflow_mlpipe.model.environment import Environment
from airflow_mlpipe.written.mistakes import WrittenError

if TYPE_CHECKING:
    from airflow_mlpipe.azureml.v2.importing import Importing

_KNOWN = frozenset({"$schema", "name", "version", "description", "tags", "image", "conda_file", "os_type"})


def environment_of(node: Node, variables: dict[str, str], compute: str, importing: Importing) -> Environment | None:
    """What a job runs in.

    :param node: the member ``environment``. :param variables: of its process. :param compute: a compute of ours.
    """
    base = Environment(variables=variables) if variables else None
    found = _described(node, importing)
    if found is None:
        return base
    importing.rest(found, _KNOWN, "of an environment")
    image, conda = found.string("image"), found.get("conda_file")
    in_container = compute_kind(compute) in ("docker", "kubernetes", "unknown")
    if image and in_container:
        if conda.value is not None:
            importing.findings.differs(conda, "packages are not added to an image", "build an image that has them")
        return Environment(image=image, variables=variables)
    if image:
        importing.findings.differs(
            found.get("image"), f"compute {compute!r} runs no containers: the image is not used", "choose one that does"
        )
    packages = _conda(conda, importing) if conda.value is not None else None
    if packages is None or not (packages.packages or packages.python):
        return base
    name = found.string("name") or Path(found.file).stem
    file = importing.requirements(name, packages.packages) if packages.packages else None
    return Environment(requirements=file, python=packages.python, variables=variables)


def _described(node: Node, importing: Importing) -> Node | None:
    """The node that holds image and packages; ``None`` for an environment that is only named."""
    if node.is_mapping or node.value is None:
        return node if node.is_mapping else None
    text = node.text or ""
    if text.startswith("azureml:"):
        name = re.sub(r"^azureml:(//)?", "", text)
        importing.findings.differs(
            node,
            f"environment {name} is Azure's; the step runs in the worker's Python",
            "name packages or an image under environment: in pipeline.yaml",
        )
        return None
    path = node.folder / text.removeprefix("file:")
    try:
        return read_node(path)
    except OSError as error:
        importing.findings.stops(node, f"the environment cannot be read ({error.strerror})", f"check {path}")
    except WrittenError as error:
        importing.findings.mistakes(error)
    return None


def _conda(node: Node, importing: Importing) -> CondaFile | None:
    document, where = node.value, node
    if isinstance(document, str):
        try:
            where = read_node(node.folder / document.removeprefix("file:"))
        except OSError as error:
            importing.findings.stops(node, f"the conda file cannot be read ({error.strerror})")
            return None
        except WrittenError as error:
            importing.findings.mistakes(error)
            return None
        document = where.value
    try:
        found = parse_conda(document, where=node.at)
    except MLPipeError as error:
        importing.findings.stops(node, error.what)
        return None
    for option in found.options:
        importing.findings.differs(where, f"an option of pip in the conda file: {option}", "give it to uv")
    for package in found.dropped:
        importing.findings.differs(where, f"package {package} of Azure ML is left out")
    return found
