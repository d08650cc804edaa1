"""The engine's verbs as a process of our image, on the machine of a program that does not run beside the worker.

``python -m airflow_mlpipe.runtime.agent stage|publish|sidecar|ready``.  Bytes go from the datastores to that machine
and back, never through the worker.  Nothing of ours is in the program's image: both containers share one folder, and
what the program is started with was computed by the worker (:mod:`airflow_mlpipe.runtime.plan`).

Reading order: ``__main__`` (signals first), ``options``, ``main`` (exit codes), ``verbs``, ``folders``.  Needs the
standard library, ``tenacity`` and the client of the job's datastores; no Airflow.
"""
