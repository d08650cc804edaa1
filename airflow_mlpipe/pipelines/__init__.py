"""AUTHOR, as data: a pipeline in YAML, and the YAML of a pipeline.

The first stop of the journey, like a DAG file.  ``reading/`` makes records of a text, ``build`` makes a DAG of the
records, ``of_dag`` makes records of a DAG, ``writing`` makes a text of them, ``graph`` shows what is connected to what.
Guarantees that nothing is dropped in silence on any of these ways, and that a pipeline that went once around is equal
and has the same fingerprints.
"""
