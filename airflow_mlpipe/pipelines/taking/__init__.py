"""From a DAG back to records: ``dag`` takes a DAG apart, ``task`` one of its steps, ``airflow`` what Airflow was told.

What has no form in a file - ordinary operators, functions, Python objects - is named, each with its place, and nothing
is passed over.
"""
