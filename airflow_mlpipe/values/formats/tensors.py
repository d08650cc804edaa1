"""Tensors of torch and arrays of jax, in safetensors: one of them, or a dict of them by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow_mlpipe.values.names import check_form, check_type, type_names

_NAME = "value"
_FRAMEWORKS = {"torch.Tensor": "torch", "jaxlib.ArrayImpl": "jax", "jax.Array": "jax", "numpy.ndarray": "numpy"}
_NUMPY = {"BOOL": "?", "C64": "<c8"} | {
    f"{kind}{8 * size}": f"<{kind.lower()}{size}"
    for kind, sizes in {"F": (2, 4, 8), "I": (1, 2, 4, 8), "U": (1, 2, 4, 8)}.items()
    for size in sizes
}
_ML_DTYPES = {"BF16": "bfloat16", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2"}


def framework_of(value: Any) -> str | None:
    """``torch`` or ``jax`` for a tensor of one of them; ``None`` for anything else.  Imports neither."""
    found = (_FRAMEWORKS.get(name) for name in type_names(type(value)))
    framework = next((name for name in found if name), None)
    return None if framework == "numpy" else framework


def state_dict_names(value: Any) -> bool:
    """Whether a value is a dict that :class:`StateDicts` saves: not empty, text keys, all torch or all jax tensors."""
    if not isinstance(value, dict) or not value or not all(isinstance(name, str) for name in value):
        return False
    frameworks = {framework_of(tensor) for tensor in value.values()}
    return len(frameworks) == 1 and None not in frameworks


class Tensors:
    """``safetensors/1``: one dense tensor, any device, bfloat16 too.

    Keeps values, shape and data type.  Device, ``requires_grad``, strides and jax's weak type are not part of a value:
    it loads on the CPU (torch) or the default device (jax).
    """

    format = "safetensors/1"
    suffix = ".safetensors"
    types: tuple[str, ...] = ("torch.Tensor", "jaxlib.ArrayImpl", "jax.Array")
    forms: tuple[str, ...] = (*types, "numpy.ndarray")

    def save(self, value: Any, path: Path) -> Mapping[str, Any]:
        """Write a tensor; details say of which framework.

        :raises ValueError: for one that is not dense, has no data here, or a data type safetensors lacks.
        """
        check_type(value, self.types)
        return _save({_NAME: value}, path)

    def load(self, path: Path, form: str, details: Mapping[str, Any]) -> Any:
        """Read a tensor, of the framework that ``form`` names, or else that it was saved from.

        :raises ValueError: for bytes that hold no such tensor, or a data type that the framework cannot have.
        """
        check_form(form, self.forms)
        tensors = _load(path, _FRAMEWORKS.get(form) or str(details.get("framework")))
        if set(tensors) != {_NAME}:
            raise ValueError(f"one tensor named {_NAME!r} is expected, not {sorted(tensors)[:5]}")
        return tensors[_NAME]

    def preview(self, value: Any) -> Mapping[str, Any]:
        """Shape and data type."""
        return {"shape": list(value.shape), "dtype": str(value.dtype)}


class StateDicts:
    """``state_dict/1``: a dict of tensors by name, as :func:`state_dict_names` knows it.

    Loads sorted by name.  Tensors that share memory are written each, and share none when they load.
    """

    format = "state_dict/1"
    suffix = ".safetensors"
    types: tuple[str, ...] = ("builtins.dict",)
    forms: tuple[str, ...] = ("builtins.dict",)

    def save(self, value: Any, path: Path) -> Mapping[str, Any]:
        """Write the tensors; details say of which framework.

        :raises ValueError: for another dict, or a tensor that :class:`Tensors` refuses.
        """
        if not state_dict_names(value):
            raise ValueError(f"a {type(value).__qualname__} that is not a dict of text to tensors of one framework")
        return _save(value, path)

    def load(self, path: Path, form: str, details: Mapping[str, Any]) -> Any:
        """Read the tensors, of the framework that they were saved from, as a plain dict.

        :raises ValueError: as :meth:`Tensors.load`.
        """
        check_form(form, self.forms)
        tensors = _load(path, str(details.get("framework")))
        return {name: tensors[name] for name in sorted(tensors)}

    def preview(self, value: Any) -> Mapping[str, Any]:
        """How many tensors and numbers there are, and the first shapes."""
        shapes = {name: list(tensor.shape) for name, tensor in list(value.items())[:20]}
        return {"tensors": len(value), "shapes": shapes}


def _save(tensors: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    from safetensors import SafetensorError

    framework = framework_of(next(iter(tensors.values())))
    try:
        data = _torch_bytes(tensors) if framework == "torch" else _jax_bytes(tensors)
    except (SafetensorError, RuntimeError, TypeError, KeyError) as error:
        raise ValueError(f"a tensor cannot be written: {error}") from error
    path.write_bytes(data)
    return {"framework": framework}


def _torch_bytes(tensors: Mapping[str, Any]) -> bytes:
    import safetensors.torch
    import torch

    plain: dict[str, Any] = {}
    for name, tensor in tensors.items():
        if tensor.layout is not torch.strided or tensor.is_quantized or tensor.device.type == "meta":
            raise ValueError(f"tensor {name!r} is sparse, quantized or without data")
        # A clone shares no memory with another tensor of the dict, which safetensors would refuse, and resolves the
        # lazy conjugate and negative bits.
        plain[name] = tensor.detach().cpu().resolve_conj().resolve_neg().clone(memory_format=torch.contiguous_format)
    return safetensors.torch.save(plain)


def _jax_bytes(tensors: Mapping[str, Any]) -> bytes:
    import numpy as np
    import safetensors.numpy

    # C order: safetensors writes memory as it lies.
    return safetensors.numpy.save({name: np.array(tensor, order="C") for name, tensor in tensors.items()})


def _load(path: Path, framework: str) -> dict[str, Any]:
    """The tensors of a file, by name.

    :raises ValueError: for other bytes, for a framework that is none, and for a data type that it does not have.
    """
    from safetensors import SafetensorError

    read = {"torch": _read_torch, "jax": _read_jax, "numpy": _read_numpy}.get(framework)
    if read is None:
        raise ValueError(f"tensors of {framework!r} are not known")
    try:
        return read(path.read_bytes())
    except (SafetensorError, KeyError, TypeError) as error:
        raise ValueError(f"no tensors can be read for {framework}: {error}") from error


def _read_torch(data: bytes) -> dict[str, Any]:
    import safetensors.torch

    return dict(safetensors.torch.load(data))


def _read_numpy(data: bytes) -> dict[str, Any]:
    import numpy as np
    import safetensors

    tensors = {}
    library: Any = safetensors  # part of it has no types
    for name, one in library.deserialize(data):
        # Of its own memory: what safetensors gives lies in a buffer that cannot be written to.
        tensors[name] = np.frombuffer(one["data"], _dtype(one["dtype"])).reshape(one["shape"]).copy()
    return tensors


def _dtype(name: str) -> Any:
    """The numpy data type of one of safetensors; those that numpy lacks are from ml_dtypes, which jax brings along.

    :raises ValueError: for one that neither has.
    """
    import numpy as np

    if name in _NUMPY:
        return np.dtype(_NUMPY[name])
    try:
        import ml_dtypes

        return np.dtype(getattr(ml_dtypes, _ML_DTYPES[name]))
    except (ImportError, KeyError, AttributeError) as error:
        raise ValueError(f"numpy has no data type {name}; install ml_dtypes, or load the tensor with torch") from error


def _read_jax(data: bytes) -> dict[str, Any]:
    import jax.numpy as jnp

    tensors = {}
    for name, array in _read_numpy(data).items():
        if jnp.zeros((), array.dtype).dtype != array.dtype:
            raise ValueError(f"tensor {name!r} is {array.dtype}, which jax has only with jax_enable_x64")
        tensors[name] = jnp.array(array)
    return tensors
