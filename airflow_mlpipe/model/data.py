"""WHAT data a step reads and writes: Datastore, DataReference, PipelineData.

Frozen values, standard library only, no I/O: they are made while a DAG file is parsed.  A :class:`PipelineData` is
compared by identity, because *this object* - not its name - is the edge between the step that declares it as an output
and the steps that take it as an input.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from typing import Literal

from airflow_mlpipe.errors import DefinitionError, PathError
from airflow_mlpipe.model.names import check_datastore, check_port, port_from_path

Kind = Literal["file", "folder"]
Identity = Literal["auto", "content"]


@dataclass(frozen=True, slots=True)
class Datastore:
    """A named root for data: the id of an Airflow connection of type ``mlpipe_datastore``, or a name in the config.

    :param name: connection id, or a key of ``[mlpipe] datastores``.
    :param url: say the root here instead (``file:///data``, ``s3://bucket/prefix``); then nothing is looked up.
    :param connection: Airflow connection that holds the credentials for ``url``.
    :raises DefinitionError: for a name that cannot be a connection id.
    """

    name: str
    url: str | None = None
    connection: str | None = None

    def __post_init__(self) -> None:
        check_datastore(self.name)
        if self.connection is not None and self.url is None:
            raise DefinitionError(
                "connection= needs url=", where=f"Datastore({self.name!r})", fix="give both, or only the name"
            )

    @property
    def spelling(self) -> str:
        """The datastore in one text, as references name it: the name, or ``name=url`` or ``name=url|connection``."""
        if self.url is None:
            return self.name
        return f"{self.name}={self.url}" + (f"|{self.connection}" if self.connection else "")

    @classmethod
    def spelled(cls, spelling: str) -> Datastore:
        """Read :attr:`spelling` back."""
        name, _, rest = spelling.partition("=")
        url, _, connection = rest.partition("|")
        return cls(name, url=url or None, connection=connection or None)


def check_relative(path: str, *, where: str) -> str:
    """Return the normal form of a path below a root.

    :raises PathError: for an absolute path, one that climbs out with ``..``, or one with a NUL byte or backslash.
    """
    if "\x00" in path or "\\" in path:
        raise PathError("a path may not hold NUL or a backslash", where=where, given=path)
    normal = posixpath.normpath(path) if path else "."
    if path.startswith("/") or normal == ".." or normal.startswith("../"):
        raise PathError(
            "the path leaves its root", where=where, given=path, fix="give a path below the root, without '..'"
        )
    return "" if normal == "." else normal


@dataclass(frozen=True, slots=True, eq=False)
class DataReference:
    """Data that exists already: a file, a folder or a glob in a datastore.

    :param datastore: where it is.
    :param path: below the datastore's root; ``*``, ``?``, ``[`` and ``**`` make it a glob.
    :param name: the port's name; by default derived from the path.
    :param version: a version that you vouch for.  It *is* the identity then: the data are not looked at.
    :param identity: ``"auto"`` takes the strongest identity the store gives without reading (digests of local files,
        else version id, checksum, ETag and size, modification time and size); ``"content"`` reads the bytes.
    :raises DefinitionError: for a bad name. :raises PathError: for a path that leaves the root.
    """

    datastore: Datastore
    path: str = ""
    name: str = ""
    version: str | None = None
    identity: Identity = "auto"

    def __post_init__(self) -> None:
        where = f"DataReference({self.datastore.name!r}, {self.path!r})"
        if not isinstance(self.datastore, Datastore):
            raise DefinitionError("datastore must be a Datastore", where=where, given=self.datastore)
        folder = self.path.endswith("/")
        normal = check_relative(self.path, where=where)
        object.__setattr__(self, "path", f"{normal}/" if folder and normal else normal)
        object.__setattr__(
            self, "name", check_port(self.name or port_from_path(normal or self.datastore.name), where=where)
        )
        if self.identity not in ("auto", "content"):
            raise DefinitionError("unknown identity", where=where, given=self.identity, valid=("auto", "content"))

    @property
    def is_glob(self) -> bool:
        """Whether the path is a pattern."""
        return bool(set(self.path) & set("*?["))


@dataclass(frozen=True, slots=True)
class Volatile:
    """Part of an output that differs between two executions only by a run id, a timestamp or a uuid.

    It is published like everything else, and left out of the identity that consumers' fingerprints contain, so that
    early cut-off works although the bytes differ.

    :param files: which files of the output, a gitignore-style pattern (``MLmodel``, ``*.pkl``, ``**/meta.yaml``).
    :param pattern: a regular expression on the bytes, as text in latin-1; what it matches does not count.  ``None``:
        the whole file does not count (that it exists still does).
    """

    files: str
    pattern: str | None = None

    def __post_init__(self) -> None:
        if self.pattern is not None:
            try:
                re.compile(self.pattern.encode("latin-1"))
            except (re.error, UnicodeEncodeError) as error:
                raise DefinitionError(
                    f"not a regular expression ({error})", where="Volatile(pattern)", given=self.pattern
                ) from error


@dataclass(frozen=True, slots=True, eq=False)
class PipelineData:
    """An output that a step declares, and the edge to the steps that take it as an input.

    :param name: the port's name, unique among the outputs of one step.
    :param kind: ``"folder"`` (made, empty, before the step starts) or ``"file"``.
    :param filename: for a file: the name that programs see (``plot.png``); by default the port's name.
    :param optional: whether the step may leave it unwritten; consumers then get no such input.
    :param datastore: where its bytes are kept; by default the workspace.
    :param path: where a plain copy is put, below ``datastore``; ``{dag}``, ``{run}``, ``{task}`` and ``{map}`` are
        replaced.
    :param asset: an Airflow Asset, or its URI, that is updated when *new* bytes are published.
    :param volatile: parts that do not count for the identity.
    :raises DefinitionError: for a bad name or combination. :raises PathError: for a path that leaves the root.
    """

    name: str
    datastore: Datastore | None = None
    kind: Kind = "folder"
    filename: str | None = None
    optional: bool = False
    path: str | None = None
    asset: object | None = None
    volatile: tuple[Volatile, ...] = field(default=())

    def __post_init__(self) -> None:
        where = f"PipelineData({self.name!r})"
        check_port(self.name, where=where)
        if self.kind not in ("file", "folder"):
            raise DefinitionError("unknown kind", where=where, given=self.kind, valid=("file", "folder"))
        if self.filename is not None:
            if self.kind != "file":
                raise DefinitionError("filename= is for kind='file'", where=where, given=self.filename)
            if "/" in check_relative(self.filename, where=where) or not self.filename:
                raise DefinitionError("filename is one name, not a path", where=where, given=self.filename)
        if self.path is not None:
            check_relative(self.path, where=where)
            unknown = set(re.findall(r"\{([^}]*)\}", self.path)) - {"dag", "run", "task", "map"}
            if unknown:
                raise DefinitionError(
                    "unknown placeholder in path",
                    where=where,
                    given=sorted(unknown),
                    valid=("dag", "run", "task", "map"),
                )
        object.__setattr__(self, "volatile", tuple(self.volatile))

    @property
    def basename(self) -> str:
        """The last part of the path that programs see."""
        return self.filename or self.name

    @property
    def needs_file(self) -> bool:
        """Whether something is said of its bytes, so that a small value that a function returns is a file, too."""
        return bool(self.datastore or self.path is not None or self.asset is not None or self.volatile)

    def as_input(self, name: str) -> NamedInput:
        """This data under another port name, for a step that takes two outputs of one name."""
        return NamedInput(check_port(name, where=f"{self.name}.as_input()"), self)


@dataclass(frozen=True, slots=True, eq=False)
class NamedInput:
    """A data object under a port name of the consumer's choice."""

    name: str
    data: PipelineData | DataReference
