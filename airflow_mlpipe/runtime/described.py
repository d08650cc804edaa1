"""Reference: what says what the value behind it is, so that people see it and consumers know how to read it."""

from __future__ import annotations

from dataclasses import replace

from airflow_mlpipe.model.reference import OutputReference
from airflow_mlpipe.values.materializer import Saved


def described(reference: OutputReference, saved: Saved) -> OutputReference:
    """A reference that says what the value is, with its whole preview."""
    return replace(
        reference,
        filename=saved.name if reference.kind == "file" else "",
        type=saved.type,
        format=saved.format,
        details=saved.details,
        preview=saved.preview,
        length=saved.length,
    )
