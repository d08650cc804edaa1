"""Golden vectors: what a release wrote, the next one must still write, or every recorded result is lost."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "golden" / "fingerprint"


def check(name: str, found: dict[str, Any]) -> None:
    """Compare with ``<name>.json``; ``WRITE_GOLDEN=1`` writes it instead."""
    file = FOLDER / f"{name}.json"
    if os.environ.get("WRITE_GOLDEN"):
        file.write_text(json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    assert json.loads(file.read_text(encoding="utf-8")) == found
