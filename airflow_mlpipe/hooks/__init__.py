"""From Airflow's configuration and connections to plain values: the only code that reads them."""
