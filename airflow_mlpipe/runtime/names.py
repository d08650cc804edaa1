"""Stage: where a program's data will be, by their names alone.

What is staged on another machine has to be known here before: a container's command line and variables are part of
what is asked for.  So these functions look at a step and at nothing else, and :mod:`.stage` puts things where they say.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from airflow_mlpipe.model.data import DataReference
from airflow_mlpipe.model.reference import OutputReference
from airflow_mlpipe.model.step import InputPort, OutputPort, StepSpec
from airflow_mlpipe.runtime.layout import Layout, Staged, below


def named(step: StepSpec, layout: Layout) -> Staged:
    """Every path of a step whose data are copied into its folders.

    :param layout: of the attempt, which need not be there.
    """
    inputs = {port.name: path for port in step.inputs if (path := input_path(port, layout)) is not None}
    for port in step.resource_inputs:
        if (path := resource_path(port, layout)) is not None:
            inputs[port.name] = path
    return Staged(inputs=inputs, outputs={port.name: output_path(port, layout) for port in step.outputs})


def input_folder(port: InputPort, layout: Layout) -> Path:
    """The folder that is an input, or that it is in."""
    return below(layout.root / "inputs", port.name)


def input_path(port: InputPort, layout: Layout) -> Path | None:
    """An input; ``None`` for an optional one that its producer did not write."""
    folder = input_folder(port, layout)
    if port.data is not None:
        return data_path(port.data, folder)
    if port.many:
        return folder
    if not port.references:
        return None
    one = port.references[0]
    return folder if one.kind == "folder" else below(folder, own_name(one))


def resource_path(port: InputPort, layout: Layout) -> Path | None:
    """A resource input lies with the code: a file under its own name, a folder (or several) under the port's."""
    if port.data is not None:
        return data_path(port.data, layout.code)
    if not port.references:
        return None
    one = port.references[0]
    return below(layout.code, own_name(one) if one.kind == "file" and not port.many else port.name)


def output_path(port: OutputPort, layout: Layout) -> Path:
    """An output; the folder that a file will be in is made for it."""
    folder = below(layout.root / "outputs", port.name)
    return folder if port.kind == "folder" else below(folder, port.data.basename)


def data_path(data: DataReference, folder: Path) -> Path:
    """Data that existed already, copied into ``folder``; the matches of a glob lie in it directly."""
    return folder if data.is_glob else below(folder, PurePosixPath(data.path).name or data.name)


def own_name(reference: OutputReference) -> str:
    """A file's name."""
    return reference.filename or reference.name


def member_name(number: int, reference: OutputReference) -> str:
    """One of several: ``00000``, and ``00000.csv`` for a file."""
    return f"{number:05d}" + ("".join(PurePosixPath(reference.filename).suffixes) if reference.kind == "file" else "")
