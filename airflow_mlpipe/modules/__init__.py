"""AUTHOR once, use everywhere: the organisation's library of steps.

A module is a folder with a ``module.yaml`` and its code.  In the order of its life: it is read (``reading``) into a
definition (``definition``), published into a library (``library``, ``publishing``), asked for (``requests``), found in
a source (``sources``, ``resolving``), pinned (``lock``), and its code brought to the worker (``fetching``), where it is
verified before it runs.

Guarantees that what a name and a version stand for never changes, that a version which is not there is an error and
never another version, and that nothing of a module's name and version gets into a fingerprint.
"""
