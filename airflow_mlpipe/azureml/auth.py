"""Log-ins of v1: taken and forgotten.  There is no service to log in to, and no credential is kept."""

from __future__ import annotations

from typing import Any


class InteractiveLoginAuthentication:
    """A person who logs in."""

    def __init__(self, *others: Any, **more: Any) -> None:
        """Keep nothing."""


class ServicePrincipalAuthentication(InteractiveLoginAuthentication):
    """A program that logs in."""


class MsiAuthentication(InteractiveLoginAuthentication):
    """A machine that logs in."""


class AzureCliAuthentication(InteractiveLoginAuthentication):
    """Who is logged in already."""
