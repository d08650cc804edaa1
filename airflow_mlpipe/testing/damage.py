"""What happens to files, and what is put in their place: for the tests of who reads them."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Damage = Callable[[bytes], bytes]

DAMAGES: Mapping[str, Damage] = {
    "empty": lambda _: b"",
    "half": lambda data: data[: len(data) // 2],
    "last byte": lambda data: data[:-1],
    "zeros": lambda data: bytes(len(data)),
    "text": lambda _: b"nothing of the kind\n",
}
"""What is left of a file whose writing, copying or disk failed."""


class _Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self._folder),)


def carriers(marker: Path) -> Mapping[str, bytes]:
    """Files in which libraries look for a pickle; unpickling one of them makes the folder ``marker``."""
    pickles = {f"pickle, protocol {protocol}": pickle.dumps(_Payload(marker), protocol) for protocol in (0, 2, 5)}
    found = {**pickles, "npy": _npy(pickles["pickle, protocol 2"])}
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as members:
        for name in ("data.pkl", "archive/data.pkl", "value.pkl", "schema.json"):
            members.writestr(name, pickles["pickle, protocol 2"])
        members.writestr("value.npy", found["npy"])
    return {**found, "zip": archive.getvalue()}


def _npy(data: bytes) -> bytes:
    """An ``.npy`` file of one Python object, as numpy writes it (NEP 1)."""
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }".ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data
