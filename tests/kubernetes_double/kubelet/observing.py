"""How a container has ended: code, reason, last words."""

from __future__ import annotations

from typing import Any

from kubernetes_double.kubelet.engine import Engine
from kubernetes_double.kubelet.sandbox import Sandbox
from kubernetes_double.kubelet.tracked import Tracked
from kubernetes_double.objects import clock

_LOG_LINES, _LOG_BYTES = 80, 2048


def how_it_ended(engine: Engine, sandbox: Sandbox, tracked: Tracked, info: dict[str, Any]) -> tuple[int, str, str, str]:
    """Exit code, reason, message, time.  :param info: what the engine knows of the container."""
    state = info["State"]
    code = int(state["ExitCode"])
    reason = "OOMKilled" if state.get("OOMKilled") and code else "Completed" if code == 0 else "Error"
    message = sandbox.last_words(tracked.spec, tracked.attempt)
    if not message and code and tracked.spec["terminationMessagePolicy"] == "FallbackToLogsOnError":
        lines = engine.logs(tracked.id, tail=_LOG_LINES)
        message = bytes(lines)[-_LOG_BYTES:].decode(errors="replace")  # type: ignore[arg-type]
    return code, reason, message, clock.written(clock.read(state["FinishedAt"]))
