"""Data from one datastore to another: look, send, verify, publish, remove (:mod:`.engine` has the verbs in order).

A transfer runs in the worker.  What has arrived and is verified is written down as it arrives, so a transfer that was
killed goes on where it was.  A folder is marked as complete by its manifest, which is removed first and written last.
"""
