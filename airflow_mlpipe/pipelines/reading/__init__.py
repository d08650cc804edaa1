"""From the text of a pipeline's file to its records: every mistake is found and has a line; no Airflow is needed.

``pipeline`` reads the whole, ``steps`` the member ``steps`` (which modules have, too), ``values`` what has a record of
its own.  What other files say as well, they read by ``written``.
"""
