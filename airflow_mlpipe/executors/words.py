"""What an engine's error and a container's end mean, in words that say what to do."""

from __future__ import annotations

from airflow_mlpipe.executors.seen import Seen

_ABSENT = "the image is not on the engine, and"
# A part of an engine's message, and what it means; the first that is in it counts.
_MEANINGS = {
    "could not select device driver": "GPUs are asked for, and the engine can give none to a container: its machine "
    "has none, or the NVIDIA Container Toolkit is not installed there",
    "no such image": f"{_ABSENT} is not pulled ([mlpipe_docker] pull = never)",
    "pull access denied": f"{_ABSENT} could not be pulled",
    "manifest unknown": f"{_ABSENT} its registry does not have it",
    "manifest for": f"{_ABSENT} its registry does not have it",
    "no such host": f"{_ABSENT} its registry was not found",
    "bind source path does not exist": "a folder that is to be mounted is not on the engine's machine",
    "executable file not found": "the image has no program python; it must have the deployment's Airflow",
    "fetching server api version": "the engine does not answer",
    "connection refused": "the engine does not answer",
    "connection aborted": "the engine does not answer, or broke off",
    "timed out": "the engine did not answer in time ([mlpipe_docker] timeout)",
}


def explain(error: BaseException) -> str:
    """The meaning of an error, where it is known, and what the engine said."""
    said = str(getattr(error, "explanation", None) or error).strip() or type(error).__name__
    lower = said.lower()
    for part, meaning in _MEANINGS.items():
        if part in lower:
            return f"{meaning} ({said})"
    return said


def end_in_words(seen: Seen) -> str | None:
    """Why a container's end is a failure; ``None`` for exit code 0: what became of the task, its process has told."""
    if seen.exit_code in (None, 0):
        return None
    name = f"container {seen.id[:12]}"
    if seen.out_of_memory:
        limit = f"its limit of {seen.memory_limit / 2**20:.0f} MiB" if seen.memory_limit else "there is"
        return f"{name} was killed because it used more memory than {limit} (exit code {seen.exit_code})"
    if seen.exit_code == 137:  # 128 + SIGKILL
        maybe = f"; its limit of memory is {seen.memory_limit / 2**20:.0f} MiB" if seen.memory_limit else ""
        return f"{name} was killed (exit code 137){maybe}"
    said = f": {seen.error}" if seen.error else "; what it printed is in the task's log"
    return f"{name} ended with exit code {seen.exit_code} before it had told the task's state{said}"
