"""WHETHER a step changed: canonical values, content identities, the key document and its diff.

Second stop of the journey.  Reads local files; never touches a datastore, never imports Airflow.
"""
