"""A test double of a Kubernetes cluster: it speaks the API, and runs the containers of pods on a Docker engine.

It is no Kubernetes.  What it covers, and what it does not, is in ``README.md`` beside this file.
"""
