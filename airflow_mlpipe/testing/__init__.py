"""Conformance suites: what every store must do, as tests that third parties can run on theirs.  Needs pytest."""
