"""NumPy arrays as ``.npy`` files, which are read as memory maps unless they are small."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.values.materializer import PREVIEW_TEXT, SMALL_FILE
from airflow_mlpipe.values.names import check_form, check_type

if TYPE_CHECKING:
    import numpy as np

_VERSION = (2, 0)
"""Of the npy format: headers may be as long as structured types need, and their text is Latin-1."""
_SMALL = 1_000_000
_SHOWN = 6
_TORCH = ("torch.Tensor",)
_JAX = ("jax.Array", "jaxlib.ArrayImpl")


class Arrays:
    """``numpy.ndarray``: equal arrays give equal bytes whatever their strides; byte order is of the type."""

    format = "npy/1"
    suffix = ".npy"
    types: tuple[str, ...] = ("numpy.ndarray",)
    forms: tuple[str, ...] = (*types, *_TORCH, *_JAX)

    def save(self, value: np.ndarray[Any, Any], path: Path) -> Mapping[str, Any]:
        """Write an array in C order, whatever order it is laid out in.

        :raises ValueError: for an array of Python objects, or of a type or class that ``.npy`` cannot express.
        """
        import numpy as np

        check_type(value, self.types)
        _refuse(value)
        # asarray drops the subclass (memmap); C order is the only order, or equal arrays would differ in bytes.
        plain = np.asarray(value, order="C")
        if _has_padding(plain.dtype):
            plain = _without_padding(plain)
        with path.open("wb") as file:
            np.lib.format.write_array(file, plain, version=_VERSION, allow_pickle=False)
        return {}

    def load(self, path: Path, form: str, details: Mapping[str, Any]) -> Any:
        """Read an array: as ``numpy.ndarray`` read-only, mapped if it is large; as a tensor a copy that can be changed.

        :raises ValueError: for bytes that are no ``.npy`` file or hold Python objects, and for another form.
        """
        check_form(form, self.forms)
        array = _mapped(path)
        if form in _TORCH:
            import torch  # type: ignore[import-not-found,unused-ignore]

            # torch has no byte order but the machine's, and warns of memory that it must not write.
            return _given(torch.from_numpy, array.astype(array.dtype.newbyteorder("="), copy=True), form)
        if form in _JAX:
            import jax.numpy as jnp

            return _given(jnp.asarray, array.astype(array.dtype.newbyteorder("="), copy=False), form)
        return array

    def preview(self, value: np.ndarray[Any, Any]) -> Mapping[str, Any]:
        """Shape, type, the first values, and the range of numbers that are fewer than a million."""
        shown: dict[str, Any] = {
            "shape": list(value.shape),
            "dtype": str(value.dtype)[:PREVIEW_TEXT],
            "head": [_scalar(item) for item in value.flat[:_SHOWN]],
        }
        if value.dtype.kind in "iuf" and 0 < value.size < _SMALL:
            shown |= {"min": _scalar(value.min()), "max": _scalar(value.max())}
        return shown


def _given(make: Callable[[Any], Any], array: np.ndarray[Any, Any], form: str) -> Any:
    """An array as another library's.  :raises ValueError: for a data type that it does not have."""
    try:
        return make(array)
    except TypeError as error:
        raise ValueError(f"an array of {array.dtype} cannot be read as {form}: {error}") from error


def _refuse(value: np.ndarray[Any, Any]) -> None:
    """Say why an array cannot be written exactly.

    :raises ValueError: when it cannot.
    """
    import numpy as np

    if isinstance(value, np.ma.MaskedArray):
        raise ValueError("a masked array would lose its mask: return value.filled(...), or data and mask apart")
    if value.dtype.hasobject:
        found = next((type(item).__name__ for item in value.flat), "nothing")
        raise ValueError(
            f"an array of dtype {value.dtype} holds Python objects ({found}), which only pickle could write:"
            " convert it to numbers or fixed-width text (astype), or return a list or a table"
        )
    if np.lib.format.descr_to_dtype(np.lib.format.dtype_to_descr(value.dtype)) != value.dtype:
        raise ValueError(f"dtype {value.dtype} has no exact form in an .npy file: convert the array (astype)")


def _has_padding(dtype: np.dtype[Any]) -> bool:
    """Whether items of a structured type have bytes that belong to no field, whose content is chance."""
    if dtype.subdtype is not None:
        return _has_padding(dtype.subdtype[0])
    if dtype.fields is None:
        return False
    fields = [entry[0] for entry in dtype.fields.values()]
    return dtype.itemsize != sum(field.itemsize for field in fields) or any(map(_has_padding, fields))


def _without_padding(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A copy whose padding is zero bytes."""
    import numpy as np

    clean = np.zeros(array.shape, array.dtype)
    _copy_fields(array, clean)
    return clean


def _copy_fields(source: np.ndarray[Any, Any], target: np.ndarray[Any, Any]) -> None:
    """Copy field by field: copying items whole would copy what lies between the fields."""
    if source.dtype.names is None:
        target[...] = source
        return
    for name in source.dtype.names:
        _copy_fields(source[name], target[name])


def _mapped(path: Path) -> np.ndarray[Any, Any]:
    """A read-only array over a file; one without bytes cannot be mapped, and is read.

    :raises ValueError: for a file that is no ``.npy`` file.
    """
    import numpy as np

    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = header(file)
        if 0 in shape or not shape or dtype.itemsize == 0 or path.stat().st_size <= SMALL_FILE:
            array: np.ndarray[Any, Any] = np.load(path, allow_pickle=False)
            array.setflags(write=False)
            return array
        # A plain array over the map: numpy.memmap is a type of its own that few libraries look for.
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except (EOFError, TypeError) as error:
        raise ValueError(f"{path.name} is no .npy file: {error}") from error


def _scalar(item: Any) -> Any:
    """A JSON scalar of an item: numbers as they are, everything else as text that is cut."""
    plain = item.item() if hasattr(item, "item") else item
    if isinstance(plain, bool | int) or (isinstance(plain, float) and plain - plain == 0):
        return plain
    return str(item)[:PREVIEW_TEXT]
