"""JSON for values that are made of plain ones: builtins, dates, enums, dataclasses, models, and leaves among them.

What JSON has is written as it is, all else as ``{"$type": ..., "value": ...}``; a dict that has such a member itself is
written as a list of pairs, so no value of a user can look like a tagged form.

Guarantees: the same value gives the same document in every process; :func:`decode` imports no module that a document
names and makes an object of a class only where the annotation names that class.
"""

from airflow_mlpipe.values.structure.classes import field_names
from airflow_mlpipe.values.structure.decode import Load, decode
from airflow_mlpipe.values.structure.encode import Leaf, encode, is_plain
from airflow_mlpipe.values.structure.form import KIND

__all__ = ["KIND", "Leaf", "Load", "decode", "encode", "field_names", "is_plain"]
