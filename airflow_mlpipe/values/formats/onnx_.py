"""Models of ONNX."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow_mlpipe.values.names import check_form, check_type


class Onnx:
    """``onnx/1``: one model, with all its weights inside."""

    format = "onnx/1"
    suffix = ".onnx"
    types: tuple[str, ...] = ("onnx.ModelProto",)
    forms: tuple[str, ...] = types

    def save(self, value: Any, path: Path) -> Mapping[str, Any]:
        """Write a model; no details.

        :raises ValueError: for one that protocol buffers cannot hold (2 GiB), or whose weights lie in other files.
        """
        check_type(value, self.types)
        from google.protobuf.message import EncodeError

        _refuse_external(value)
        try:
            path.write_bytes(value.SerializeToString(deterministic=True))
        except EncodeError as error:
            raise ValueError(f"the model cannot be written: {error}") from error
        return {}

    def load(self, path: Path, form: str, details: Mapping[str, Any]) -> Any:
        """Read a model; no other file is read.

        :raises ValueError: for bytes that are no model, or one whose weights lie in other files.
        """
        check_form(form, self.forms)
        import onnx
        from google.protobuf.message import DecodeError

        try:
            model = onnx.load_model_from_string(path.read_bytes())
        except DecodeError as error:
            raise ValueError(f"no ONNX model: {error}") from error
        if not model.ir_version:
            raise ValueError("no ONNX model: it has no ir_version")
        _refuse_external(model)
        return model

    def preview(self, value: Any) -> Mapping[str, Any]:
        """Number of nodes, and names of inputs and outputs."""
        graph = value.graph
        return {
            "nodes": len(graph.node),
            "inputs": [one.name for one in graph.input][:20],
            "outputs": [one.name for one in graph.output][:20],
        }


def _refuse_external(model: Any) -> None:
    import onnx

    outside = [t.name for t in model.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL]
    if outside:
        raise ValueError(f"weights lie in other files: {', '.join(outside[:5])}; load them into the model first")
