"""The Kubernetes compute: a step's program in a pod, in the user's image, with our agent beside it."""

from airflow_mlpipe.compute.kubernetes_.compute import KubernetesCompute

__all__ = ["KubernetesCompute"]
