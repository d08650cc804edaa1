"""Bytes as they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow_mlpipe.values.names import check_form, check_type

_SHOWN = 40


class Bytes:
    """``bytes`` and ``bytearray``: the file is the value, so equal values give equal bytes."""

    format = "bytes/1"
    suffix = ".bin"
    types: tuple[str, ...] = ("builtins.bytes", "builtins.bytearray")
    forms: tuple[str, ...] = types

    def save(self, value: bytes | bytearray, path: Path) -> Mapping[str, Any]:
        """Write the bytes.

        :raises ValueError: for a value of another type.
        """
        check_type(value, self.types)
        path.write_bytes(value)
        return {}

    def load(self, path: Path, form: str, details: Mapping[str, Any]) -> bytes | bytearray:
        """Read the bytes.

        :raises ValueError: for another form.
        """
        check_form(form, self.forms)
        read = path.read_bytes()
        return bytearray(read) if form == "builtins.bytearray" else read

    def preview(self, value: bytes | bytearray) -> Mapping[str, Any]:
        """Size, and the first bytes as hexadecimal digits."""
        return {"bytes": len(value), "head": bytes(value[: _SHOWN // 2]).hex()}
