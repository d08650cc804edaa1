"""Where data are: paths of v2 as a datastore and a path in it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from airflow_mlpipe.azureml.v2.findings import Findings
from airflow_mlpipe.azureml.v2.nodes import Node
from airflow_mlpipe.azureml.workspace import DEFAULT_DATASTORE
from airflow_mlpipe.errors import MLPipeError
from airflow_mlpipe.model.data import Datastore, check_relative

_SHORT = re.compile(r"azureml://(?:subscriptions/.*/)?datastores/([^/]+)/paths/(.*)\Z")
_ASSET = re.compile(r"azureml:(?!//)([^:@]+)(?::([^:@]+)|@(\w+))?\Z")
_URL = re.compile(r"(?P<root>[a-z][a-z0-9+.-]*://[^/]*)/(?P<path>.*)\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Source:
    """A place.  :param path: in the datastore."""

    datastore: Datastore
    path: str


def source_of(node: Node, root: Path, findings: Findings) -> Source | None:
    """The place that a path of v2 names; ``None`` when it cannot be one.

    :param node: the path. :param root: the folder of the pipeline: data below it are of one datastore, ``local``.
    """
    text = (node.text or "").strip()
    if match := _SHORT.match(text):
        return _checked(node, match[1], match[2], findings)
    if match := _ASSET.match(text):
        version = match[2] or match[3] or "latest"
        where = f"assets/{match[1]}/{version}"
        findings.todo(
            node,
            f"data asset {text}: there is no registry of data",
            f"put it at {where} of datastore {DEFAULT_DATASTORE!r}, or edit its place under data: in pipeline.yaml",
        )
        return Source(Datastore(DEFAULT_DATASTORE), where)
    if text.startswith("azureml:"):
        findings.stops(node, f"{text} is in a registry of Azure's", "download it and name the path")
        return None
    if match := _URL.match(text):
        return _of_url(node, match["root"], match["path"], findings)
    return _local(node, text.removeprefix("file:"), root, findings)


def _checked(node: Node, store: str, path: str, findings: Findings) -> Source | None:
    try:
        return Source(Datastore(store), check_relative(path.lstrip("/"), where=node.at))
    except MLPipeError as error:
        findings.stops(node, str(error))
        return None


def _of_url(node: Node, root: str, path: str, findings: Findings) -> Source | None:
    """A blob: its folder is a datastore, whose name is the host's.  Web servers are no datastores."""
    folder, _, last = path.rstrip("/").rpartition("/")
    scheme, _, host = root.partition("://")
    if scheme.lower() in ("http", "https") and "?" not in path:
        place = f"downloads/{host}/{path}".rstrip("/")
        findings.todo(
            node, "data on a web server, which is no datastore", f"put it at {place} of datastore {DEFAULT_DATASTORE!r}"
        )
        return _checked(node, DEFAULT_DATASTORE, place, findings)
    # The driver of Azure's blobs: wasbs is its old name.
    scheme = {"wasbs": "abfss", "wasb": "abfs"}.get(scheme, scheme)
    host = host.replace(".blob.core.", ".dfs.core.") if scheme.startswith("abfs") else host
    name = re.sub(r"[^\w.-]+", "_", host.rpartition("@")[2] or host)[:90]
    if "?" in path:
        findings.stops(node, "a URL with a query, which may be a secret", "name a datastore with a connection instead")
        return None
    url = f"{scheme}://{host}/{folder}".rstrip("/")
    try:
        return Source(Datastore(name, url=url), last)
    except MLPipeError as error:
        findings.stops(node, str(error))
        return None


def _local(node: Node, text: str, root: Path, findings: Findings) -> Source | None:
    path = Path(os.path.normpath(node.folder.absolute() / text))
    if not path.exists():
        findings.todo(node, f"there is nothing at {path}", "put the data there, or edit their place in pipeline.yaml")
    try:
        if path.is_relative_to(root):
            below = path.relative_to(root).as_posix()
            return Source(
                Datastore("local", url=root.as_uri()), "" if below == "." else check_relative(below, where="")
            )
        return Source(Datastore("local", url=path.parent.as_uri()), check_relative(path.name, where=node.at))
    except MLPipeError as error:
        findings.stops(node, str(error))
        return None
