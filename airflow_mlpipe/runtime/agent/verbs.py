"""Stage and publish, on the program's machine."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from airflow_mlpipe.errors import MLPipeError
from airflow_mlpipe.runtime.agent.folders import copy_secrets, make_folders, open_folders
from airflow_mlpipe.runtime.cache import BlobCache
from airflow_mlpipe.runtime.candidates import Candidates
from airflow_mlpipe.runtime.checkpoints import Checkpoints
from airflow_mlpipe.runtime.code import fetch_code
from airflow_mlpipe.runtime.documents.order import Order
from airflow_mlpipe.runtime.exchange import write_exchange
from airflow_mlpipe.runtime.function import refused, write_call
from airflow_mlpipe.runtime.kernel import PYSITE, write_kernel
from airflow_mlpipe.runtime.layout import Layout
from airflow_mlpipe.runtime.remote import agent_of, checkpoints_of, kernel_of, pysite_of, ready_of
from airflow_mlpipe.runtime.results import publish_results
from airflow_mlpipe.runtime.stage import Stager
from airflow_mlpipe.runtime.stores import EngineStores
from airflow_mlpipe.runtime.verdict import in_words
from airflow_mlpipe.runtime.view import View
from airflow_mlpipe.store.oserrors import os_errors


class Agent:
    """One attempt on this machine.

    :param seen_as: where the program sees ``root``. :param key: of the candidate.
    :param say: gets lines for the agent's own log.
    """

    def __init__(
        self,
        order: Order,
        stores: EngineStores,
        *,
        root: Path,
        seen_as: Path,
        key: str,
        say: Callable[[str], object],
    ) -> None:
        self._order, self._stores, self._key, self._say = order, stores, key, say
        self._layout = Layout(root)
        self._view = View() if seen_as == root else View(((root, PurePosixPath(seen_as)),))
        self._where = order.job.step.label

    @property
    def _stager(self) -> Stager:
        cache = BlobCache(agent_of(self._layout) / "blobs")
        return Stager(layout=self._layout, cache=cache, stores=self._stores, copies=True)

    def is_staged(self) -> bool:
        """Whether an earlier process of this attempt staged already."""
        return ready_of(self._layout).exists()

    def stage(self, secrets: Path | None) -> None:
        """Write code, inputs, parameters, and empty output folders.

        :param secrets: folder with a file for each.
        :raises InputError: data are gone. :raises StoreError: and its kinds, of the datastores and this disk.
        """
        step, layout = self._order.job.step, self._layout
        with os_errors(self._where, "stage the step", layout.root):
            make_folders(layout)
            code = fetch_code(self._order.code, self._stores.contents("")) if self._order.code else None
            stager = self._stager
            staged = stager.stage(step, code)
            write_exchange(layout, step)
            if step.function is not None:
                write_kernel(kernel_of(layout))
                write_call(layout, step, staged, self._view, allow_pickle=self._order.allow_pickle)
            if step.sorted_listings:
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(PYSITE, pysite_of(layout), dirs_exist_ok=True, ignore=ignored)
            if secrets is not None:
                copy_secrets(secrets, self._order.secrets, layout)
            open_folders(layout)
            self._fetch_checkpoints(checkpoints_of(layout))
        self._say(f"staged {len(stager.linked)} files by their digest, fetched {in_words(stager.fetched)}")

    def _fetch_checkpoints(self, folder: Path) -> None:
        """Unless the folder is one that outlived an attempt: what is in it is younger."""
        if not any(folder.iterdir()) and (found := self._checkpoints.fetch(folder)):
            self._say(f"fetched {found} files of checkpoints")

    def keep_checkpoints(self) -> None:
        """Store the program's checkpoints for the next attempt; trouble with them is no reason to lose a result."""
        try:
            if self._checkpoints.keep(checkpoints_of(self._layout)):
                self._say("stored the checkpoints for the next attempt")
        except (MLPipeError, OSError) as error:
            self._say(f"cannot store the checkpoints: {error}")

    def mark_ready(self) -> None:
        """For the probe that the program's start waits for.  :raises OSError: when it cannot be written."""
        ready_of(self._layout).touch()

    def publish(self) -> None:
        """Store the outputs, then the candidate.

        :raises StepError: what the program left is at fault. :raises InputChangedError: it wrote to its inputs.
        :raises StoreError: and its kinds.
        """
        job, layout = self._order.job, self._layout
        if job.step.function is not None and (error := refused(layout, self._where)) is not None:
            raise error
        with os_errors(self._where, "publish the outputs", layout.root):
            stager = self._stager
            staged = stager.find(job.step)
            stager.check_unchanged(self._where)
        result = publish_results(job, layout, staged, self._stores, cache=None, on_line=self._say)
        if not self._candidates.offer(result, attempt=job.attempt, key=self._key):
            self._say("another publication of this attempt was first; it counts")

    def tell(self, error: BaseException) -> None:
        """Say in the workspace why there is no candidate.  :raises MLPipeError: when that cannot be said."""
        self._candidates.fail(error, key=self._key)

    @property
    def _checkpoints(self) -> Checkpoints:
        return Checkpoints(self._stores.contents(""), self._order.job.fingerprint)

    @property
    def _candidates(self) -> Candidates:
        return Candidates(self._stores.contents("").store)
