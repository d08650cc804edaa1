"""``stores/1``: how the datastores of one job are opened on another machine.

The document holds credentials, those of the datastores that the job reads and writes and no others.  It is given as a
file that only our process reads (mode 0400), never in a variable, an argument or a label.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from airflow_mlpipe.errors import ConfigurationError, CorruptedError
from airflow_mlpipe.model.data import Datastore
from airflow_mlpipe.model.documents import parse, tag, to_bytes
from airflow_mlpipe.model.step import StepSpec
from airflow_mlpipe.runtime.stores import EngineStores
from airflow_mlpipe.store.base import ObjectStore
from airflow_mlpipe.store.config import StoreConfig, contents_of
from airflow_mlpipe.store.contents import Contents
from airflow_mlpipe.store.open import open_store


def spellings(step: StepSpec) -> tuple[str, ...]:
    """The datastores that a step's execution reads and writes; the workspace, empty, is always one."""
    return tuple(sorted({"", *_spellings(step)}))


def _spellings(step: StepSpec) -> Iterator[str]:
    for port in (*step.inputs, *step.resource_inputs):
        yield from (reference.datastore for reference in port.references)
        if port.data is not None:
            yield port.data.datastore.spelling
    yield from (port.data.datastore.spelling for port in step.outputs if port.data.datastore is not None)


def configs_of(
    step: StepSpec, stores: EngineStores, *, folders: bool, mounted: Mapping[str, str] | None = None
) -> dict[str, StoreConfig]:
    """What it takes to open the datastores of a step elsewhere.

    :param folders: whether the other machine sees the folders of this one.
    :param mounted: those that are folders there, by spelling, and where.
    :raises ConfigurationError: for a datastore that cannot be opened there, naming it.
    """
    found = {spelling: StoreConfig(url=Path(path).as_uri()) for spelling, path in (mounted or {}).items()}
    others = (spelling for spelling in spellings(step) if spelling not in found)
    return found | {spelling: _portable(spelling, stores.config(spelling), step, folders) for spelling in others}


def _portable(spelling: str, config: StoreConfig, step: StepSpec, folders: bool) -> StoreConfig:
    name = f"datastore {Datastore.spelled(spelling).name!r}" if spelling else "the workspace"
    where = f"{step.label}: {name}"
    if config.filesystem is not None:
        raise ConfigurationError(
            "it is opened through a connection of another Airflow provider, which exists in the worker alone",
            where=where,
            given=config.url,
            fix="give it a connection of type mlpipe_datastore that holds the credentials itself, or none where the "
            "machine of the program has an identity of its own",
        )
    if not folders and (config.url.startswith("/") or urlsplit(config.url).scheme == "file"):
        raise ConfigurationError(
            "it is a folder of the worker, and the program runs on another machine",
            where=where,
            given=config.url,
            fix="use an object store, or a compute_target on the worker's machine",
        )
    return config


def configs_to_bytes(configs: Mapping[str, StoreConfig]) -> bytes:
    """The document.  :raises ConfigurationError: when an option of a datastore is not JSON, naming it."""
    for spelling, config in configs.items():
        for name, value in config.options.items():
            if not isinstance(value, (str, int, float, bool, type(None))):
                raise ConfigurationError(
                    "an option of a datastore cannot be handed to another machine",
                    where=f"datastore {spelling!r}",
                    given=name,
                    valid="texts and numbers",
                )
    stores = {s: {"url": config.url, "options": dict(config.options)} for s, config in configs.items()}
    return to_bytes(tag("stores", 1) | {"stores": stores})


def configs_from_bytes(data: bytes, *, where: str = "stores.json") -> dict[str, StoreConfig]:
    """Read :func:`configs_to_bytes` back.

    :raises CorruptedError: when it is none; the message shows nothing of it.
    :raises WorkspaceVersionError: when it is newer.
    """
    try:
        members = parse(data, "stores", 1, where=where)["stores"]
        return {
            str(spelling): StoreConfig(url=str(one["url"]), options=dict(one["options"]))
            for spelling, one in members.items()
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        raise CorruptedError("not a document of datastores", where=where) from None


@dataclass(slots=True)
class DocumentStores:
    """The datastores of a ``stores/1``, opened once each."""

    configs: Mapping[str, StoreConfig]
    _contents: dict[str, Contents] = field(default_factory=dict)
    _opened: dict[str, ObjectStore] = field(default_factory=dict)

    def config(self, spelling: str) -> StoreConfig:
        """See :class:`EngineStores`.  :raises ConfigurationError: for a datastore that the job did not name."""
        if spelling not in self.configs:
            raise ConfigurationError("the job names no such datastore", where="stores.json", given=spelling)
        return self.configs[spelling]

    def contents(self, spelling: str) -> Contents:
        """See :class:`EngineStores`."""
        if spelling not in self._contents:
            config = self.config(spelling)
            self._contents[spelling] = Contents(open_store(contents_of(config) if spelling else config))
        return self._contents[spelling]

    def datastore(self, datastore: Datastore) -> ObjectStore:
        """See :class:`EngineStores`."""
        spelling = datastore.spelling
        if spelling not in self._opened:
            self._opened[spelling] = open_store(self.config(spelling))
        return self._opened[spelling]

    def local_root(self, datastore: Datastore) -> Path | None:
        """See :class:`EngineStores`."""
        parts = urlsplit(self.datastore(datastore).url)
        return Path(unquote(parts.path)) if parts.scheme == "file" else None
