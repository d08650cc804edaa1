"""The engine that stages, runs, verifies and publishes one attempt of a step.

Reading order: ``job`` (the contract), ``engine`` (the verbs in order), ``stage`` and ``cache``, ``variables`` and
``environments``, ``process`` (with ``launch``, ``lines``, ``memory``, ``verdict``), ``publish``.  Knows no Airflow.
"""
