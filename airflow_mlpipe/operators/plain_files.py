"""Inputs that upstream delivered as plain files, as a transfer does: a step takes them as data that exist already.

So they are looked at where they lie, each time: whoever changes them afterwards changes the fingerprint.
"""

from __future__ import annotations

from dataclasses import replace

from airflow_mlpipe.errors import InputError
from airflow_mlpipe.model.data import DataReference, Datastore
from airflow_mlpipe.model.reference import OutputReference
from airflow_mlpipe.model.step import InputPort, StepSpec


def data_of(reference: OutputReference, name: str) -> DataReference:
    """The data that a reference to plain files stands for.

    :param reference: one that was :func:`~airflow_mlpipe.hooks.trusted.checked`.
    """
    path = reference.path or ""
    if path and reference.kind == "folder":
        path += "/"
    return DataReference(Datastore.spelled(reference.datastore), path, name=name)


def with_plain_files(spec: StepSpec) -> StepSpec:
    """A step whose ports bring such data as data.  :raises InputError: for a port that gathers several."""
    ports = (*spec.inputs, *spec.resource_inputs)
    if all(reference.path is None for port in ports for reference in port.references):
        return spec
    return replace(
        spec,
        inputs=tuple(_port(port, spec.label) for port in spec.inputs),
        resource_inputs=tuple(_port(port, spec.label) for port in spec.resource_inputs),
    )


def _port(port: InputPort, label: str) -> InputPort:
    if all(reference.path is None for reference in port.references):
        return port
    if port.many:
        raise InputError(
            "several inputs in one port are kept by digest, and one of these lies as plain files",
            where=f"{label}: input {port.name!r}",
            fix="give what a DataTransferStep delivers a port of its own",
        )
    return InputPort(name=port.name, data=data_of(port.references[0], port.name))
