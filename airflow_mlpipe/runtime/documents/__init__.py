"""What crosses from the worker to the machine of a program and back, as JSON.

- :mod:`.order` ``job/1``: what is to be done. :mod:`.step`: the step in it.
- :mod:`.stores` ``stores/1``: how its datastores are opened.  The only one with credentials in it.
- :mod:`.result` ``result/1``: what was done. :mod:`.failure` ``error/1``: why it was not.
"""
