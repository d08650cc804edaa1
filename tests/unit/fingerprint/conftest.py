"""Settings of the property tests of this folder."""

from __future__ import annotations

from hypothesis import settings

# No deadline: how long an example takes says something of the machine only.
settings.register_profile("mlpipe", deadline=None)
settings.load_profile("mlpipe")
