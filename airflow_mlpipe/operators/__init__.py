"""The Airflow surface: what DAG authors write, and the journey of a step (``base.py``)."""
