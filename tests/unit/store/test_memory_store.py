"""The store in memory that other tests use is a store like any other."""

from __future__ import annotations

import pytest

from airflow_mlpipe.testing.memory import MemoryObjectStore
from airflow_mlpipe.testing.store_contract import StoreContract


class TestMemoryObjectStore(StoreContract):
    @pytest.fixture
    def store(self):
        """A new one."""
        return MemoryObjectStore()
