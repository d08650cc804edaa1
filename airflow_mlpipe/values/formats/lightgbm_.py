"""Boosters of LightGBM, in its own text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


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
        import lightgbm
        from lightgbm.basic import LightGBMError

        text = path.read_bytes().decode()
        # LightGBM's parser would read on past the end of a text that was cut.
        if not text.startswith("tree\n") or "\nend of trees\n" not in text:
            raise ValueError("no model of LightGBM: its first or last line is missing")
        try:
            booster = lightgbm.Booster(model_str=text)
        except (LightGBMError, TypeError) as error:
            raise ValueError(f"no model of LightGBM: {error}") from error
        booster.best_iteration = int(details.get("best_iteration", -1))
        return booster

    def preview(self, value: Any) -> Mapping[str, Any]:
        """Numbers of trees and features."""
        return {"trees": int(value.num_trees()), "features": int(value.num_feature())}
