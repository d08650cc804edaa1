"""Estimators of scikit-learn, as skops writes them: arrays and names of classes, no pickle."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from airflow_mlpipe.values.names import check_form, check_type

TRUSTED: tuple[str, ...] = ()
"""Names of further types, ``module.Class``, that an estimator may hold.  Loading one may run its own code."""

_PACKAGES = (
    # Of numpy and scipy only what estimators hold: elsewhere are classes that act when they are thrown away, such as
    # numpy's DataSource, which removes the folder that its state names.
    "sklearn.",
    "numpy.random.",
    "numpy.dtypes.",
    "scipy.interpolate.",
    "scipy.sparse.",
    "scipy.spatial.",
    "scipy.special.",
    "scipy.stats.",
)
_NOT = (".tests.", ".externals.", ".datasets.", ".conftest.")
_SCHEMA = "schema.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)


class Estimators:
    """``skops/1``: a fitted or unfitted estimator, its parameters and all that fitting set.

    Guarantees that equal estimators give equal bytes, whatever addresses and interned values the process had, and that
    an estimator is built from types of scikit-learn, numpy and scipy, those that skops trusts, and :data:`TRUSTED`.
    """

    format = "skops/1"
    suffix = ".skops"
    types: tuple[str, ...] = ("sklearn.BaseEstimator",)
    forms: tuple[str, ...] = ("sklearn.BaseEstimator",)

    def save(self, value: Any, path: Path) -> Mapping[str, Any]:
        """Write an estimator; no details.

        :raises ValueError: when it holds what skops cannot write, or a type that :meth:`load` would refuse.
        """
        check_type(value, self.types)
        import skops.io

        try:
            data = skops.io.dumps(value)
        except (TypeError, ValueError, AttributeError, RecursionError) as error:
            raise ValueError(f"skops cannot write {type(value).__qualname__}: {error}") from error
        data = _canonical(data)
        _check(data)
        path.write_bytes(data)
        return {}

    def load(self, path: Path, form: str, details: Mapping[str, Any]) -> Any:
        """Read an estimator; ``details`` say nothing more.

        :raises ValueError: for types that are not trusted, naming them, and for bytes that skops cannot read.
        """
        check_form(form, self.forms)
        import skops.io
        from skops.io.exceptions import UnsupportedTypeException, UntrustedTypesFoundException

        data = path.read_bytes()
        trusted = _check(data)
        try:
            return skops.io.loads(data, trusted=trusted)
        except UntrustedTypesFoundException as error:
            raise ValueError(f"types that are not trusted: {error}") from error
        except (
            zipfile.BadZipFile,
            LookupError,
            TypeError,
            ValueError,
            AttributeError,
            ImportError,
            UnsupportedTypeException,
        ) as error:
            raise ValueError(f"no estimator can be read from these bytes: {error}") from error

    def preview(self, value: Any) -> Mapping[str, Any]:
        """Class and parameters, as scikit-learn prints them."""
        return {"class": type(value).__qualname__, "estimator": repr(value)[:1000]}


def _check(data: bytes) -> list[str]:
    """Names of the types that skops asks about.

    :raises ValueError: when some are not to be trusted, or the bytes are no skops file.
    """
    import skops.io

    try:
        asked = skops.io.get_untrusted_types(data=data)
    except (zipfile.BadZipFile, LookupError, TypeError, ValueError, AttributeError, ImportError) as error:
        raise ValueError(f"no skops file: {error}") from error
    refused = sorted(name for name in asked if name not in TRUSTED and not _known(name))
    if refused:
        raise ValueError(_refusal(refused))
    return list(asked)


def _known(name: str) -> bool:
    """Whether a name is one of a class of :data:`_PACKAGES`; a function may do anything when it is called later."""
    import importlib
    import inspect

    if not name.startswith(_PACKAGES) or any(part in f".{name}." for part in _NOT):
        return False
    module, _, attribute = name.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), attribute, None)
    except ImportError:
        return False
    # A module also shows what it imports from elsewhere.
    return inspect.isclass(found) and f"{found.__module__}.".startswith(_PACKAGES)


def _refusal(names: Iterable[str]) -> str:
    names = list(names)
    hint = "; save .booster_ of a LightGBM model instead" if any(n.startswith("lightgbm.") for n in names) else ""
    return f"types that are not trusted: {', '.join(names)}{hint}"


def _canonical(data: bytes) -> bytes:
    """The same estimator, with nothing in it that depends on the process that wrote it.

    skops numbers objects, and the files of their arrays, by address; numbers here count objects as they appear.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as old:
        schema = json.loads(old.read(_SCHEMA))
        files: dict[str, str] = {}
        members = {_SCHEMA: json.dumps(_renumbered(schema, {}, files), indent=1, sort_keys=False).encode()}
        members |= {new: _unpadded(old.read(name), name) for name, new in files.items()}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), members[name])
    return out.getvalue()


def _unpadded(data: bytes, name: str) -> bytes:
    """The bytes of a member, with zeros between the fields of records: numpy leaves there what the memory held."""
    import numpy as np

    if not name.endswith(".npy"):
        return data
    array = np.load(io.BytesIO(data), allow_pickle=False)
    if array.dtype.names is None:
        return data
    # zeros_like() would copy a record, which leaves the gaps as they are.
    clean = np.zeros(array.shape, array.dtype, order="C" if array.flags.c_contiguous else "F")
    for field in array.dtype.names:
        clean[field] = array[field]
    body: bytes = clean.tobytes("A")
    return data[: len(data) - len(body)] + body


def _renumbered(node: Any, ids: dict[int, int], files: dict[str, str]) -> Any:
    """A part of the schema with new numbers and file names; both are entered in ``ids`` and ``files``."""
    if isinstance(node, list):
        return [_renumbered(part, ids, files) for part in node]
    if not isinstance(node, dict):
        return node
    loader = node.get("__loader__")
    if loader == "SetNode":
        node = node | {"content": sorted(node["content"], key=_without_ids)}
    new: dict[str, Any] = {}
    for key, part in node.items():
        if key == "__id__":
            # Whether two equal numbers or strings are one object is chance; that of what can change is meant.
            if loader not in ("JsonNode", "TypeNode"):
                new[key] = ids.setdefault(part, len(ids) + 1)
        elif key == "file" and loader is not None:
            new[key] = files.setdefault(part, f"{len(files)}{Path(part).suffix}")
        else:
            new[key] = _renumbered(part, ids, files)
    return new


def _without_ids(node: Any) -> str:
    """A text by which members of a set are sorted."""
    return json.dumps(_renumbered(node, {}, {}), sort_keys=True)
