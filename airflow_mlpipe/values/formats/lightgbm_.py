"""Boosters of LightGBM, in its own text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow_mlpipe.values.names import check_form, check_type

_LAST = "pandas_categorical:"
"""Start of the last line of every model."""


class LightGBM:
    """``lightgbm/1``: a trained booster with all its trees and its best iteration.

    Models of LightGBM's scikit-learn interface are not saved: only their booster can be rebuilt by public means.
    """

    format = "lightgbm/1"
    suffix = ".txt"
    types: tuple[str, ...] = ("lightgbm.Booster",)
    forms: tuple[str, ...] = types

    def save(self, value: Any, path: Path) -> Mapping[str, Any]:
        """Write a booster; details are the best iteration, which the text lacks.

        :raises ValueError: when LightGBM cannot write it.
        """
        check_type(value, self.types)
        from lightgbm.basic import LightGBMError

        try:
            # All iterations: by default those after the best one are left out.
            text = value.model_to_string(num_iteration=-1)
        except (LightGBMError, TypeError) as error:
            raise ValueError(f"the booster cannot be written: {error}") from error
        path.write_bytes(text.encode())
        return {"best_iteration": int(value.best_iteration)}

    def load(self, path: Path, form: str, details: Mapping[str, Any]) -> Any:
        """Read a booster.

        :raises ValueError: for text that LightGBM cannot read.
        """
        check_form(form, self.forms)
        import lightgbm
        from lightgbm.basic import LightGBMError

        best = details.get("best_iteration", -1)
        if type(best) is not int:
            raise ValueError(f"the best iteration is a number, not {best!r}")
        text = path.read_bytes().decode()
        lines = text.split("\n")
        # LightGBM's parser would read on past the end of a text that was cut, and end the process.
        if lines[0] != "tree" or "end of trees" not in lines or lines[-1] or not lines[-2].startswith(_LAST):
            raise ValueError("no model of LightGBM: its first or last line is missing")
        try:
            booster = lightgbm.Booster(model_str=text)
        except (LightGBMError, TypeError) as error:
            raise ValueError(f"no model of LightGBM: {error}") from error
        booster.best_iteration = best
        return booster

    def preview(self, value: Any) -> Mapping[str, Any]:
        """Numbers of trees and features."""
        return {"trees": int(value.num_trees()), "features": int(value.num_feature())}
