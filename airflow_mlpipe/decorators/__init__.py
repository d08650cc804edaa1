"""``@step``, also ``@task.step``: a function becomes a step when it is called in a DAG."""
