"""WHERE bytes and answers live: the only code that touches datastores.

Third stop of the journey.  ``base`` is the port that every object store implements; ``contents`` keeps bytes by digest;
``workspace`` keeps the answers: keys, records, runs, leases, pins.
"""
