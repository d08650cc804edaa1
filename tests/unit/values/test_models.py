"""Models of scikit-learn, XGBoost, LightGBM and ONNX: round trips, equal bytes, and what is refused."""

from __future__ import annotations

import io
import json
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from airflow_mlpipe.values import registry
from airflow_mlpipe.values.formats.lightgbm_ import LightGBM
from airflow_mlpipe.values.formats.onnx_ import Onnx
from airflow_mlpipe.values.formats.sklearn_ import Estimators
from airflow_mlpipe.values.formats.xgboost_ import XGBoost

_X = np.random.default_rng(0).normal(size=(80, 4))
_Y = (_X[:, 0] + _X[:, 1] > 0).astype(int)


class Custom(BaseEstimator):
    """An estimator that is not scikit-learn's."""


def _through(materializer, value, folder: Path, form: str | None = None):
    """Save and load a value; its bytes and what was loaded."""
    path = folder / f"{len(list(folder.iterdir()))}.value"
    details = json.loads(json.dumps(materializer.save(value, path)))
    json.dumps(materializer.preview(value))
    return path.read_bytes(), materializer.load(path, form or materializer.forms[0], details)


def test_a_custom_estimator_is_refused_with_its_name(tmp_path):
    """The producer fails, not the consumer; alone and within a pipeline."""
    for value in (Custom(), make_pipeline(StandardScaler(), Custom())):
        with pytest.raises(ValueError, match=r"not trusted: .*\.Custom"):
            Estimators().save(value, tmp_path / "x")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("function", [np.loadtxt, subprocess.run])
def test_a_function_in_an_estimator_is_refused(function, tmp_path):
    """A function is code that a prediction would call."""
    with pytest.raises(ValueError, match="not trusted"):
        Estimators().save(FunctionTransformer(function), tmp_path / "x")


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("numpy.lib._datasource", "DataSource"),
        ("sklearn.tests.test_base", "MyEstimator"),
        ("sklearn.utils._testing", "subprocess"),
    ],
)
def test_forged_files_are_refused(module, name, tmp_path):
    """A name of a type in the data is not enough to have it made."""
    Estimators().save(LogisticRegression().fit(_X, _Y), tmp_path / "good")
    out = io.BytesIO()
    with zipfile.ZipFile(tmp_path / "good") as old, zipfile.ZipFile(out, "w") as new:
        for member in old.namelist():
            data = old.read(member)
            if member == "schema.json":
                data = json.dumps(json.loads(data) | {"__module__": module, "__class__": name}).encode()
            new.writestr(member, data)
    (tmp_path / "bad").write_bytes(out.getvalue())
    with pytest.raises(ValueError, match="not trusted"):
        Estimators().load(tmp_path / "bad", "sklearn.BaseEstimator", {})


def test_models_are_found_by_their_types():
    """The interfaces for scikit-learn derive from its estimators, and keep their own format."""
    import lightgbm
    import onnx
    import xgboost

    found = {
        LogisticRegression: Estimators,
        xgboost.XGBClassifier: XGBoost,
        xgboost.Booster: XGBoost,
        lightgbm.Booster: LightGBM,
        onnx.ModelProto: Onnx,
    }
    for kind, materializer in found.items():
        assert type(registry.of_type(kind)).__name__ == materializer.__name__


@pytest.mark.parametrize("name", ["XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor", "XGBModel"])
def test_a_model_of_xgboost_comes_back(name, tmp_path):
    """With its class, its parameters and its predictions; and its booster where that is asked for."""
    import xgboost

    def fit():
        return getattr(xgboost, name)(n_estimators=4, max_depth=2, n_jobs=1, random_state=3).fit(_X, _Y)

    model = fit()
    data, loaded = _through(XGBoost(), model, tmp_path, "xgboost.XGBModel")
    assert _through(XGBoost(), fit(), tmp_path)[0] == data
    assert type(loaded) is type(model)
    assert loaded.get_params()["max_depth"] == 2
    assert loaded.get_params()["n_estimators"] == 4
    assert np.array_equal(loaded.predict(_X), model.predict(_X))
    booster = _through(XGBoost(), model, tmp_path, "xgboost.Booster")[1]
    assert type(booster) is xgboost.Booster


def test_a_booster_of_xgboost_comes_back(tmp_path):
    """With its predictions, its best iteration and the names of its features."""
    import xgboost

    matrix = xgboost.DMatrix(_X, _Y, feature_names=["a", "b", "c", "d"])
    booster = xgboost.train(
        {"objective": "binary:logistic", "max_depth": 2, "nthread": 1},
        matrix,
        30,
        evals=[(matrix, "train")],
        early_stopping_rounds=2,
        verbose_eval=False,
    )
    data, loaded = _through(XGBoost(), booster, tmp_path)
    assert _through(XGBoost(), loaded, tmp_path)[0] == data
    assert np.array_equal(loaded.predict(matrix), booster.predict(matrix))
    assert loaded.feature_names == ["a", "b", "c", "d"]
    assert loaded.best_iteration == booster.best_iteration


def test_what_xgboost_cannot_give_back_is_refused(tmp_path):
    """A function as a parameter, a class of somebody else, a model without trees, a class of the data's choice."""
    import xgboost

    class Mine(xgboost.XGBClassifier):
        pass

    fitted = xgboost.XGBRegressor(n_estimators=1, objective=lambda y, p: (p - y, np.ones_like(p))).fit(_X, _Y)
    with pytest.raises(ValueError, match="objective"):
        XGBoost().save(fitted, tmp_path / "x")
    with pytest.raises(ValueError, match="Mine"):
        XGBoost().save(Mine(n_estimators=1).fit(_X, _Y), tmp_path / "x")
    with pytest.raises(ValueError):
        XGBoost().save(xgboost.XGBClassifier(), tmp_path / "x")
    (tmp_path / "x").write_bytes(b"{}")
    with pytest.raises(ValueError, match="callback"):
        XGBoost().load(tmp_path / "x", "xgboost.XGBModel", {"class": "callback"})


def test_a_booster_of_lightgbm_comes_back(tmp_path):
    """With all its trees and its best iteration, by which it predicts."""
    import lightgbm

    def train():
        data = lightgbm.Dataset(_X[:60], noisy[:60])
        check = lightgbm.Dataset(_X[60:], noisy[60:], reference=data)
        settings = {"objective": "binary", "verbose": -1, "num_threads": 1, "min_data_in_leaf": 5, "learning_rate": 0.9}
        booster = lightgbm.train(settings, data, 12, valid_sets=[check])
        booster.best_iteration = 4  # as early stopping leaves it, without the chance of where
        return booster

    noisy = np.where(np.random.default_rng(1).random(80) < 0.3, 1 - _Y, _Y)
    booster = train()
    assert 0 < booster.best_iteration < booster.num_trees()
    data, loaded = _through(LightGBM(), booster, tmp_path)
    assert _through(LightGBM(), train(), tmp_path)[0] == data
    assert np.array_equal(loaded.predict(_X), booster.predict(_X))
    assert (loaded.num_trees(), loaded.best_iteration) == (booster.num_trees(), booster.best_iteration)


def test_lightgbm_for_scikit_learn_is_refused_with_advice(tmp_path):
    """Its booster is what can be saved."""
    import lightgbm

    model = lightgbm.LGBMClassifier(n_estimators=2, verbose=-1, n_jobs=1).fit(_X, _Y)
    with pytest.raises(ValueError, match="booster_"):
        Estimators().save(model, tmp_path / "x")


def _onnx():
    from onnx import TensorProto, helper

    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xy"]
    weight = helper.make_tensor("w", TensorProto.FLOAT, [2], [1.0, 2.0])
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", value[:1], value[1:], [weight])
    model = helper.make_model(graph)
    helper.set_model_props(model, {"b": "1", "a": "2"})
    return model


def test_onnx_with_weights_elsewhere_is_refused(tmp_path):
    """They would be missing, or a path of the data's choice would be read."""
    from onnx import TensorProto

    model = _onnx()
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    with pytest.raises(ValueError, match="other files: w"):
        Onnx().save(model, tmp_path / "x")
    (tmp_path / "x").write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match="other files"):
        Onnx().load(tmp_path / "x", "onnx.ModelProto", {})
