"""Models of XGBoost, in its own binary JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow_mlpipe.values.formats.ubjson import check_whole
from airflow_mlpipe.values.names import check_form, check_type

_CLASSES = ("Booster", "XGBModel", "XGBClassifier", "XGBRegressor", "XGBRanker", "XGBRFClassifier", "XGBRFRegressor")


class XGBoost:
    """``xgboost/1``: a trained booster, or a fitted model of XGBoost's scikit-learn interface.

    A model keeps its class, its trees and the parameters that differ from the defaults.
    """

    format = "xgboost/1"
    suffix = ".ubj"
    types: tuple[str, ...] = ("xgboost.Booster", "xgboost.XGBModel")
    forms: tuple[str, ...] = types

    def save(self, value: Any, path: Path) -> Mapping[str, Any]:
        """Write a model; details are its class and, of the scikit-learn interface, its parameters.

        :raises ValueError: for a class that is not XGBoost's own, a model that is not fitted, and parameters that are
            no JSON (functions, callbacks).
        """
        check_type(value, self.types)
        import xgboost

        name = type(value).__name__
        if name not in _CLASSES or type(value) is not getattr(xgboost, name, None):
            raise ValueError(f"{type(value).__qualname__} is none of XGBoost's own classes: {', '.join(_CLASSES)}")
        details = {"class": name} if name == "Booster" else {"class": name, "params": _parameters(value)}
        # XGBoost chooses the format by the suffix of the file; the caller's path may have any.
        whole = path.with_name(f"{path.name}.ubj")
        value.save_model(whole)
        whole.rename(path)
        return details

    def load(self, path: Path, form: str, details: Mapping[str, Any]) -> Any:
        """Read a model of the class that was saved; or its booster, where ``form`` asks for that.

        :raises ValueError: for bytes that XGBoost cannot read, and a class that is not XGBoost's.
        """
        check_form(form, self.forms)
        import xgboost

        name = details.get("class")
        if name not in _CLASSES:
            raise ValueError(f"{name!r} is none of XGBoost's classes")
        data = path.read_bytes()
        try:
            check_whole(data)
        except ValueError as error:
            raise ValueError(f"no model of XGBoost: {error}") from error
        booster_asked = form == "xgboost.Booster"
        if name == "Booster" and not booster_asked:
            raise ValueError("a booster has no parameters, so it cannot be read as a model: ask for xgboost.Booster")
        try:
            model = getattr(xgboost, "Booster" if booster_asked else name)(**_given(details, booster_asked))
            parameters = {} if booster_asked else model.get_params()
            model.load_model(bytearray(data))
        except (xgboost.core.XGBoostError, TypeError) as error:
            raise ValueError(f"no model of XGBoost: {error}") from error
        # XGBoost sets what training found for parameters that were left open; the model that was saved had not.
        return model if booster_asked else model.set_params(**parameters)

    def preview(self, value: Any) -> Mapping[str, Any]:
        """Class, and numbers of trees and features."""
        booster = value if type(value).__name__ == "Booster" else value.get_booster()
        return {
            "class": type(value).__name__,
            "rounds": int(booster.num_boosted_rounds()),
            "features": int(booster.num_features()),
        }


def _given(details: Mapping[str, Any], booster: bool) -> dict[str, Any]:
    return {} if booster else dict(details.get("params", {}))


def _parameters(model: Any) -> dict[str, Any]:
    """Parameters that differ from those of a new model.

    :raises ValueError: for one that is no JSON.
    """
    usual = type(model)().get_params()
    # By text: not-a-number, a usual value for what is missing, does not equal itself.
    given = {k: v for k, v in model.get_params().items() if k not in usual or repr(v) != repr(usual[k])}
    for name, value in given.items():
        try:
            same = json.loads(json.dumps(value, allow_nan=False)) == value
        except (TypeError, ValueError):
            same = False
        if not same:
            raise ValueError(f"parameter {name} of {type(model).__name__} is no JSON: {value!r:.100}")
    return dict(sorted(given.items()))
