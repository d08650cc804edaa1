"""Conformance suites: what every store and every materializer must do, as tests that third parties can run on theirs.

:class:`StoreContract` and :class:`MaterializerContract` are base classes of test classes; they need pytest.
:mod:`.memory` is an object store in memory; it does not.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_mlpipe.testing.materializer_contract import MaterializerContract
    from airflow_mlpipe.testing.store_contract import StoreContract

__all__ = ["MaterializerContract", "StoreContract"]

_HOME = {"MaterializerContract": "materializer_contract", "StoreContract": "store_contract"}


def __getattr__(name: str) -> Any:
    """Import a suite when it is first used, with pytest's messages for its assertions."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it exports {', '.join(__all__)}")
    import pytest

    module = f"{__name__}.{_HOME[name]}"
    if module not in sys.modules:
        pytest.register_assert_rewrite(module)
    return getattr(importlib.import_module(module), name)
