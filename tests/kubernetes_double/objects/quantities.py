"""Amounts of resources: ``100m``, ``2Gi``, ``1e3``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal

_QUANTITY = re.compile(r"^([+-]?(?:\d+\.?\d*|\.\d+))(?:([KMGTPE]i|[numkMGTPE])|[eE]([+-]?\d+))?$")
_FACTORS = {
    **{unit: Decimal(1024) ** power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
    **{
        unit: Decimal(1000) ** power for power, unit in enumerate(("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), -3)
    },
}
# What is neither counted in parts nor an extension: its amounts may be anything.
NATIVE = ("cpu", "memory", "ephemeral-storage", "pods")


def quantity(text: str | float) -> Decimal:
    """The amount.  :raises ValueError: if it is none."""
    found = _QUANTITY.match(str(text))
    if found is None:
        raise ValueError("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
    number, unit, exponent = found.groups()
    if exponent is not None:
        return Decimal(number) * Decimal(10) ** int(exponent)
    return Decimal(number) * _FACTORS[unit or ""]


def whole(text: str | float) -> int:
    """The amount in whole units, upwards: bytes, devices."""
    return int(quantity(text).to_integral_value(ROUND_CEILING))


def amounts(given: Mapping[str, str] | None) -> dict[str, Decimal]:
    """Each of ``requests``, ``limits`` or ``allocatable``."""
    return {name: quantity(text) for name, text in (given or {}).items()}


def is_extended(name: str) -> bool:
    """Whether it is a device that nodes advertise, such as ``nvidia.com/gpu``."""
    return "/" in name and not name.partition("/")[0].endswith("kubernetes.io")
