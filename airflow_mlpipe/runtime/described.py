"""Reference: what says what the value behind it is, so that people see it and consumers know how to read it."""

from __future__ import annotations

from dataclasses import replace

from airflow_mlpipe.model.documents import to_bytes
from airflow_mlpipe.model.reference import OutputReference
from airflow_mlpipe.values.materializer import Saved

ROW = 3600
"""Bytes of a reference's JSON, so that a row of XCom stays under 4 KiB."""


def described(reference: OutputReference, saved: Saved) -> OutputReference:
    """A reference that says what the value is; its preview is cut so that a row of XCom stays under 4 KiB."""
    full = replace(
        reference,
        filename=saved.name if reference.kind == "file" else "",
        type=saved.type,
        format=saved.format,
        details=saved.details,
        preview=saved.preview,
        length=saved.length,
    )
    preview = dict(saved.preview)
    while preview and len(to_bytes(full.to_json())) > ROW:
        preview.popitem()  # the last says the least
        full = replace(full, preview=preview)
    return full
