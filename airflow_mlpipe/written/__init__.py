"""AUTHOR in YAML: files that people write, read with the line of everything in them.

Of what the files are about it knows only what several kinds of them say alike: environments and resources.  Guarantees
that a reader never has to guess where a mistake is, that all mistakes of a file are told at once, and that a text means
the same whatever it looks like: ``1.10`` is not 1.1, ``no`` is not false.
"""
