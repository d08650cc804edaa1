"""What several test files share: running DAGs in this process, and an embedded Airflow."""
