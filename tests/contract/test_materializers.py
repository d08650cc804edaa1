"""Every materializer that comes with the package passes the one contract, with the libraries themselves."""

from __future__ import annotations

import datetime as dt
from importlib.util import find_spec
from typing import Any

from airflow_mlpipe.testing import MaterializerContract
from airflow_mlpipe.values import registry
from airflow_mlpipe.values.pickled import Pickle

FORMATS = "airflow_mlpipe.values.formats."
HAS_TORCH = find_spec("torch") is not None


def array(kind: str = "f8", *shape: int) -> Any:
    """Numbers that differ, in a shape."""
    import numpy as np

    return np.arange(int(np.prod(shape)), dtype=kind).reshape(shape)


class TestArrays(MaterializerContract):
    """Numbers, text, times, records; any shape and byte order."""

    materializer = FORMATS + "arrays:Arrays"
    values = {
        "matrix": lambda: array("f8", 3, 4),
        "fortran": lambda: array(">i4", 3, 4).T,
        "scalar": lambda: array("f4"),
        "text": lambda: array("i8", 3).astype("U3"),
        "times": lambda: array("i8", 3).astype("M8[ns]"),
        "records": lambda: array("i8", 2).astype([("a", "i1"), ("b", "f8")]),
        "wide": lambda: array("f8", 1, 100_000),
        "empty": lambda: array("f8", 0, 3),
    }

    def equal(self, value: Any, loaded: Any) -> bool:
        same = (value.dtype, value.shape, value.tobytes()) == (loaded.dtype, loaded.shape, loaded.tobytes())
        return type(value) is type(loaded) and same


class TestBytes(MaterializerContract):
    """Any bytes: a file that was damaged is as good as any other."""

    materializer = FORMATS + "binary:Bytes"
    values = {"bytes": lambda: bytes(range(256)) * 100, "bytearray": lambda: bytearray(b"abc"), "empty": lambda: b""}
    cannot_tell = frozenset({"empty", "half", "last byte", "zeros", "text"})


def image(mode: str) -> Any:
    """Noise, of an image's mode."""
    import numpy as np
    from PIL import Image

    noise = np.random.default_rng(0).integers(0, 255, (5, 7, 4), dtype=np.uint8)
    if mode == "I;16":
        return Image.fromarray(noise[:, :, 0].astype(np.uint16) * 250)
    return Image.fromarray(noise, "RGBA").convert(mode)


class TestImages(MaterializerContract):
    """All modes that PNG has."""

    materializer = FORMATS + "images:Images"
    values = {
        "bits": lambda: image("1"),
        "grey": lambda: image("L"),
        "grey with alpha": lambda: image("LA"),
        "palette": lambda: image("P"),
        "colours": lambda: image("RGB"),
        "colours with alpha": lambda: image("RGBA"),
        "16 bits": lambda: image("I;16"),
    }
    has_empty = False

    def equal(self, value: Any, loaded: Any) -> bool:
        same = (value.mode, value.size, value.tobytes()) == (loaded.mode, loaded.size, loaded.tobytes())
        return same and value.getpalette() == loaded.getpalette()


def figure(*, drawn: bool) -> Any:
    """Of matplotlib, without its global state."""
    from matplotlib.figure import Figure

    made = Figure(figsize=(2, 1), dpi=50)
    if drawn:
        axes = made.subplots()
        axes.plot([1, 3, 2])
        axes.set_title("loss")
    return made


class TestFigures(MaterializerContract):
    """A figure comes back as the image of it."""

    materializer = FORMATS + "images:Figures"
    values = {"line": lambda: figure(drawn=True), "empty": lambda: figure(drawn=False)}

    def equal(self, value: Any, loaded: Any) -> bool:
        return type(loaded).__name__ == "Image" and loaded.size == (100, 50)

    def unchanged(self, value: Any, anew: Any) -> bool:
        def shown(one: Any) -> list[Any]:
            return [axes.get_title() for axes in one.axes] + [list(one.get_size_inches()), one.dpi, one.get_facecolor()]

        return shown(value) == shown(anew)


def noise() -> tuple[Any, Any]:
    """Features and classes."""
    import numpy as np

    x = np.random.default_rng(0).normal(size=(80, 4))
    return x, (x[:, 0] + x[:, 1] > 0).astype(int)


def lightgbm_booster(rounds: int) -> Any:
    """With a best iteration that is not the last."""
    import lightgbm

    settings = {"objective": "binary", "verbose": -1, "num_threads": 1, "min_data_in_leaf": 5}
    booster = lightgbm.train(settings, lightgbm.Dataset(*noise()), rounds)
    booster.best_iteration = rounds // 2
    return booster


class TestLightGBM(MaterializerContract):
    """Boosters."""

    materializer = FORMATS + "lightgbm_:LightGBM"
    values = {"trees": lambda: lightgbm_booster(6), "stump": lambda: lightgbm_booster(1)}
    has_empty = False

    def equal(self, value: Any, loaded: Any) -> bool:
        same = value.best_iteration == loaded.best_iteration and value.num_trees() == loaded.num_trees()
        return same and (value.predict(noise()[0]) == loaded.predict(noise()[0])).all()


def onnx_model(*, nodes: bool) -> Any:
    """Adds weights to its input."""
    from onnx import TensorProto, helper

    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xy"]
    weight = helper.make_tensor("w", TensorProto.FLOAT, [2], [1.0, 2.0])
    made = [helper.make_node("Add", ["x", "w"], ["y"])] if nodes else []
    graph = helper.make_graph(made, "g", value[:1], value[1:], [weight] if nodes else [])
    model = helper.make_model(graph)
    helper.set_model_props(model, dict.fromkeys("bacdef", "1"))
    return model


class TestOnnx(MaterializerContract):
    """Models with their weights."""

    materializer = FORMATS + "onnx_:Onnx"
    values = {"model": lambda: onnx_model(nodes=True), "empty": lambda: onnx_model(nodes=False)}


def estimator(name: str) -> Any:
    """Of scikit-learn; fitted, but for the empty one."""
    from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if name == "words":
        return CountVectorizer(stop_words=list("abcdefg"), token_pattern=None, vocabulary=set("xyzuvwpqr"))
    made = {
        "empty": LogisticRegression,
        "logistic": LogisticRegression,
        "forest": lambda: RandomForestClassifier(5, random_state=1),
        "pipeline": lambda: make_pipeline(StandardScaler(), LogisticRegression()),
        "boosting": lambda: GradientBoostingClassifier(n_estimators=3, random_state=1),
        "histogram": lambda: HistGradientBoostingRegressor(max_iter=3, random_state=1),
        "neighbours": KNeighborsClassifier,
    }[name]()
    return made if name == "empty" else made.fit(*noise())


class TestEstimators(MaterializerContract):
    """Estimators of scikit-learn, of several kinds."""

    materializer = FORMATS + "sklearn_:Estimators"
    values = {
        "logistic": lambda: estimator("logistic"),
        "forest": lambda: estimator("forest"),
        "pipeline": lambda: estimator("pipeline"),
        "boosting": lambda: estimator("boosting"),
        "histogram": lambda: estimator("histogram"),
        "neighbours": lambda: estimator("neighbours"),
        "sets of words": lambda: estimator("words"),
        "empty": lambda: estimator("empty"),
    }
    libraries = ("skops", "numpy")

    def equal(self, value: Any, loaded: Any) -> bool:
        if type(value) is not type(loaded) or repr(value.get_params()) != repr(loaded.get_params()):
            return type(value).__name__ == "CountVectorizer" and value.vocabulary == loaded.vocabulary
        fitted = [name for name in vars(value) if name.endswith("_")]
        return not fitted or (value.predict(noise()[0]) == loaded.predict(noise()[0])).all()


def frame(**columns: Any) -> Any:
    """Of pandas."""
    import pandas as pd

    return pd.DataFrame(columns)


def everything() -> Any:
    """A frame with a column of each kind."""
    import numpy as np
    import pandas as pd

    return pd.DataFrame(
        {
            "i": pd.array([1, None, 0], dtype="Int8"),
            "f": [0.5, np.nan, -1.0],
            "s": ["a", None, "é"],
            "c": pd.Categorical(["b", None, "a"], ["b", "a", "z"], ordered=True),
            "z": pd.to_datetime(["2020", None, "2021"]).tz_localize("Europe/Zurich"),
            "o": pd.Series([dt.date(2020, 1, 1), None, None], dtype=object),
            "t": [{"a": [1.5], "b": None}, {"a": [], "b": "x"}, {"a": [], "b": ""}],
        }
    )


def indexed(kind: str) -> Any:
    """A frame of one column with an index of a kind."""
    import pandas as pd

    index = {
        "RangeIndex": lambda: pd.RangeIndex(2),
        "MultiIndex": lambda: pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["x", "y"]),
        "DatetimeIndex": lambda: pd.date_range("2020", periods=2, freq="D", name="when"),
        "TimedeltaIndex": lambda: pd.to_timedelta([1, 2], "s"),
        "PeriodIndex": lambda: pd.period_range("2020", periods=2, freq="M"),
        "CategoricalIndex": lambda: pd.CategoricalIndex(["a", "b"]),
        "IntervalIndex": lambda: pd.interval_range(0, 2),
    }[kind]()
    return pd.DataFrame({"x": [1.0, 2.0]}, index=index)


def polars_frame() -> Any:
    import polars as pl

    kinds = pl.Series(["u", "v", "u"], dtype=pl.Categorical)
    return pl.DataFrame({"x": [1, None, 3], "s": ["a", "b", None], "c": kinds})


def arrow_table() -> Any:
    import pyarrow as pa

    return pa.table({"x": [1, None, 3], "l": [[1], [], None]}).replace_schema_metadata({"b": "1", "a": "2", "c": "3"})


def deep_table() -> Any:
    """Of types with long names."""
    import pyarrow as pa

    return pa.table({f"{column}": [{f"a field, {n}": n for n in range(200)}] for column in range(30)})


class TestTables(MaterializerContract):
    """Frames, series, indexes and tables of three libraries."""

    materializer = FORMATS + "tables:Tables"
    values = {
        "pandas": everything,
        "no columns": lambda: frame().reindex(range(3)),
        "wide": lambda: frame(**{f"a rather long name of a column, number {n}": [0.1, 0.2] for n in range(200)}),
        "deep": lambda: frame(t=[{f"a rather long name of a field, {n}": n for n in range(200)}]),
        "long text": lambda: frame(s=["x" * 10_000]),
        "series": lambda: indexed("RangeIndex")["x"],
        "unnamed series": lambda: indexed("RangeIndex")["x"].rename(None),
        "index": lambda: indexed("DatetimeIndex").index,
        **{
            name: lambda name=name: indexed(name)
            for name in (
                "RangeIndex",
                "MultiIndex",
                "DatetimeIndex",
                "TimedeltaIndex",
                "PeriodIndex",
                "CategoricalIndex",
                "IntervalIndex",
            )
        },
        "polars": polars_frame,
        "polars series": lambda: polars_frame()["c"],
        "polars lazy": lambda: polars_frame().lazy(),
        "pyarrow": arrow_table,
        "pyarrow deep": deep_table,
        "pyarrow batch": lambda: arrow_table().to_batches()[0],
        "empty": frame,
    }
    libraries = ("numpy",)

    def batches(self) -> list[Any]:
        return [frame(x=[1.0, 2.0]), frame(x=[3.0])]

    def equal(self, value: Any, loaded: Any) -> bool:
        import pandas as pd
        import polars as pl

        if type(value) is not type(loaded):
            return False
        if isinstance(value, pl.LazyFrame):
            return self.equal(value.collect(), loaded.collect())
        if isinstance(value, (pd.DataFrame, pd.Series, pd.Index)):
            kind = next(kind for kind in (pd.DataFrame, pd.Series, pd.Index) if isinstance(value, kind))
            check = {pd.DataFrame: "frame", pd.Series: "series", pd.Index: "index"}[kind]
            getattr(pd.testing, f"assert_{check}_equal")(value, loaded)
            return True
        return value.equals(loaded)


def jax_array(kind: str = "float32", *shape: int) -> Any:
    import jax.numpy as jnp

    return jnp.asarray(array("i4", *shape)).astype(kind)


def same_numbers(value: Any, loaded: Any) -> bool:
    """Whether two tensors are of one type, shape and data type, and their bytes are equal."""
    import numpy as np

    one, other = np.asarray(value), np.asarray(loaded)
    same = (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    return type(value) is type(loaded) and same


def torch_tensor(kind: str) -> Any:
    import torch

    return torch.arange(6).reshape(2, 3).to(getattr(torch, kind))


class TestTensors(MaterializerContract):
    """Of jax, and of torch where it is installed."""

    materializer = FORMATS + "tensors:Tensors"
    values = {
        "numbers": lambda: jax_array("float32", 2, 3),
        "brain floats": lambda: jax_array("bfloat16", 3),
        "complex": lambda: jax_array("complex64", 3),
        "scalar": lambda: jax_array("int8"),
        "empty": lambda: jax_array("float32", 0, 3),
    }
    if HAS_TORCH:
        values |= {f"torch {kind}": lambda kind=kind: torch_tensor(kind) for kind in ("float64", "bool", "bfloat16")}
    libraries = ("jax", "numpy", "safetensors", "torch")
    equal = staticmethod(same_numbers)


class TestStateDicts(MaterializerContract):
    """Tensors by name."""

    materializer = FORMATS + "tensors:StateDicts"
    values = {
        "layers": lambda: {"layer.weight": jax_array("float32", 2, 3), "layer.bias": jax_array("bfloat16", 3)},
        "many": lambda: {f"a rather long name of a layer, number {n}": jax_array("int8", 1) for n in range(200)},
    }
    has_empty = False
    libraries = ("jax", "numpy", "safetensors", "torch")

    def equal(self, value: Any, loaded: Any) -> bool:
        return sorted(value) == sorted(loaded) and all(same_numbers(value[name], loaded[name]) for name in value)


def xgboost_model(name: str) -> Any:
    """A model of XGBoost's scikit-learn interface, or its booster."""
    import xgboost

    booster = name == "Booster"
    made = getattr(xgboost, "XGBClassifier" if booster else name)(n_estimators=4, max_depth=2, n_jobs=1, random_state=3)
    made.fit(*noise())
    return made.get_booster() if booster else made


class TestXGBoost(MaterializerContract):
    """Boosters, and the classes of the scikit-learn interface."""

    materializer = FORMATS + "xgboost_:XGBoost"
    values = {
        name: lambda name=name: xgboost_model(name)
        for name in ("Booster", "XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBModel")
    }
    has_empty = False

    def equal(self, value: Any, loaded: Any) -> bool:
        import xgboost

        x = noise()[0]
        x = xgboost.DMatrix(x) if isinstance(value, xgboost.Booster) else x
        return type(value) is type(loaded) and (value.predict(x) == loaded.predict(x)).all()


class TestPickles(MaterializerContract):
    """Loads as the value that was wrapped; and loading executes code, which is why it needs an option."""

    materializer = FORMATS + "pickles:Pickles"
    values = {"list": lambda: Pickle([1, "a", 2.5]), "empty": lambda: Pickle(None)}

    def equal(self, value: Any, loaded: Any) -> bool:
        return value.value == loaded

    def unchanged(self, value: Any, anew: Any) -> bool:
        return value.value == anew.value

    test_loading_executes_no_code = None  # type: ignore[assignment]
    test_a_form_gives_what_it_is_called = None  # type: ignore[assignment]


SUITES = [one for one in list(globals().values()) if isinstance(one, type) and issubclass(one, MaterializerContract)]


def test_every_materializer_has_a_suite():
    """None that comes with the package is left out of this module."""
    assert {suite.materializer for suite in SUITES[1:]} == set(registry.OURS)
