"""The Docker compute: a step's program in a container of the user's image, with nothing of ours in it."""

from airflow_mlpipe.compute.docker.compute import DockerCompute

__all__ = ["DockerCompute"]
