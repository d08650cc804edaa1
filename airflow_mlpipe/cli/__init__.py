"""SEE it from the shell: ``airflow mlpipe ...``.

The last stop of the journey.  ``definition`` is read at every start of ``airflow`` and imports nothing but Airflow's
own description of commands; each command is a module that is imported when it is called.
"""
