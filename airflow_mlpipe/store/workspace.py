"""A workspace: everything that is remembered, in one place of one datastore.

Opening one costs nothing.  The first use of any part, once per process, checks that the workspace is of a format that
this version knows, and marks a new one.
"""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING

from airflow_mlpipe.errors import ConfigurationError, CorruptedError, ObjectNotFoundError
from airflow_mlpipe.model.documents import parse, tag, to_bytes
from airflow_mlpipe.store.base import ObjectStore
from airflow_mlpipe.store.keys import Keys
from airflow_mlpipe.store.layout import FORMAT, SALT
from airflow_mlpipe.store.leases import Leases
from airflow_mlpipe.store.pins import Pins
from airflow_mlpipe.store.records import Records
from airflow_mlpipe.store.runs import Runs
from airflow_mlpipe.store.usage import Usage
from airflow_mlpipe.store.values import PushedValues
from airflow_mlpipe.store.watches import Watches

if TYPE_CHECKING:
    from airflow_mlpipe.store.contents import Contents

VERSION = 1
"""Format of :mod:`airflow_mlpipe.store.layout`.  A change that an older version would misread raises it."""


class Workspace:
    """The answers, and the bytes that they speak of.

    The parts are attributes: ``contents``, ``records``, ``keys``, ``runs``, ``leases``, ``usage`` and ``pins``.  Every
    one of them calls :meth:`check_format` first and so raises what that raises.

    :param store: where the answers are. :param contents: where the bytes are, by digest; usually the same store.
    :param lease_seconds: how long after its last heartbeat a lease of this process runs out.
    """

    def __init__(self, store: ObjectStore, contents: Contents, *, lease_seconds: float = 60.0) -> None:
        self.store = store
        self._contents = contents
        self._records = Records(store)
        self._keys = Keys(store)
        self._runs = Runs(store)
        self._values = PushedValues(store)
        self._leases = Leases(store, lease_seconds=lease_seconds)
        self._usage = Usage(store)
        self._pins = Pins(store)
        self._watches = Watches(store)
        self._checked = False
        self._checking = threading.Lock()

    def __repr__(self) -> str:
        return f"Workspace({self.store.url!r})"

    @property
    def url(self) -> str:
        """Where it is, without credentials."""
        return self.store.url

    @property
    def contents(self) -> Contents:
        """Bytes by digest."""
        self.check_format()
        return self._contents

    @property
    def records(self) -> Records:
        """Reuse records."""
        self.check_format()
        return self._records

    @property
    def keys(self) -> Keys:
        """Readable parts of fingerprints."""
        self.check_format()
        return self._keys

    @property
    def runs(self) -> Runs:
        """What task instances did."""
        self.check_format()
        return self._runs

    @property
    def values(self) -> PushedValues:
        """What XComs of ordinary tasks refer to."""
        self.check_format()
        return self._values

    @property
    def leases(self) -> Leases:
        """Who executes what just now."""
        self.check_format()
        return self._leases

    @property
    def usage(self) -> Usage:
        """When results were last used."""
        self.check_format()
        return self._usage

    @property
    def pins(self) -> Pins:
        """Results to keep."""
        self.check_format()
        return self._pins

    @property
    def watches(self) -> Watches:
        """What watched data were when a change was last told."""
        self.check_format()
        return self._watches

    def salt(self) -> bytes:
        """A random key of this workspace, made when first asked for, for digests of texts that may be secrets."""
        self.check_format()
        try:
            return self.store.get(SALT)
        except ObjectNotFoundError:
            made = secrets.token_bytes(32)
            return made if self.store.create(SALT, made) else self.store.get(SALT)

    def check_format(self) -> None:
        """Refuse a workspace of a newer version; mark a new one.  Only the first call looks.

        :raises WorkspaceVersionError: when a newer version wrote it.
        :raises ConfigurationError: when ``mlpipe.json`` there is something else.
        """
        if self._checked:
            return
        with self._checking:
            if not self._checked:
                self._check()
                self._checked = True

    def _check(self) -> None:
        try:
            data = self.store.get(FORMAT)
        except ObjectNotFoundError:
            if self.store.create(FORMAT, to_bytes(tag("workspace", VERSION))):
                return
            data = self.store.get(FORMAT)
        where = self.store.uri(FORMAT)
        try:
            parse(data, "workspace", VERSION, where=where)
        except CorruptedError as error:
            # Not set aside like other documents: it alone says which version may touch the rest.
            raise ConfigurationError(
                f"this is no workspace ({error.what})",
                where=where,
                given=data[:80],
                fix="choose another folder as workspace, or delete this object if surely no newer version used it",
            ) from error
