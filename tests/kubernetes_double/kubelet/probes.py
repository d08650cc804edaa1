"""Probes: programs and requests that ask a container whether it has started, is ready, is alive."""

from __future__ import annotations

import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from kubernetes_double.kubelet.engine import Engine
from kubernetes_double.kubelet.tracked import Tracked

KINDS = {"startupProbe": "Startup", "readinessProbe": "Readiness", "livenessProbe": "Liveness"}
Heard = Callable[[Tracked, str, bool, str], None]


def start(engine: Engine, tracked: Tracked, address: str, heard: Heard) -> None:
    """Start the probes of a container that has begun to run.

    :param heard: is told when a probe's verdict changes, with the probe's words, and of each failure that counts.
    """
    for kind in KINDS:
        if kind in tracked.spec:
            probe = _Probe(engine, tracked, address, kind, heard)
            threading.Thread(target=probe.run, name=f"kubernetes-double-{kind}", daemon=True).start()


class _Probe:
    def __init__(self, engine: Engine, tracked: Tracked, address: str, kind: str, heard: Heard) -> None:
        self._engine, self._tracked, self._address, self._kind, self._heard = engine, tracked, address, kind, heard
        self._container, self._stop = tracked.id, tracked.no_more
        self._probe: dict[str, Any] = tracked.spec[kind]

    def run(self) -> None:
        """Ask until the container ends, or until it has started, for what asks only that."""
        wait, failures, successes = float(self._probe.get("initialDelaySeconds", 0)), 0, 0
        while not self._stop.wait(wait):
            wait = self._probe["periodSeconds"]
            if self._kind != "startupProbe" and not self._tracked.started:
                wait = min(wait, 0.1)
                continue
            passed, said = attempt(self._engine, self._container, self._tracked.spec, self._probe, self._address)
            if self._stop.is_set():
                return
            failures, successes = (0, successes + 1) if passed else (failures + 1, 0)
            if passed and successes >= self._probe["successThreshold"]:
                self._heard(self._tracked, self._kind, True, said)
                if self._kind == "startupProbe":
                    return
            elif not passed:
                self._heard(self._tracked, "", False, f"{KINDS[self._kind]} probe failed: {said}")
                if failures >= self._probe["failureThreshold"]:
                    self._heard(self._tracked, self._kind, False, said)


def attempt(
    engine: Engine, container: str, spec: dict[str, Any], handler: dict[str, Any], address: str
) -> tuple[bool, str]:
    """Ask once: whether it passed, and what was said."""
    try:
        if "exec" in handler:
            code, output = engine.execute(container, handler["exec"]["command"])
            return code == 0, output.strip()
        seconds = handler.get("timeoutSeconds", 1)
        if "httpGet" in handler:
            return _get(spec, handler["httpGet"], address, seconds)
        port = _port(spec, handler["tcpSocket"]["port"])
        with socket.create_connection((handler["tcpSocket"].get("host") or address, port), timeout=seconds):
            return True, ""
    except Exception as error:  # noqa: BLE001 - whatever it is, the probe has failed
        return False, str(error)


def _get(spec: dict[str, Any], request: dict[str, Any], address: str, seconds: float) -> tuple[bool, str]:
    host, port = request.get("host") or address, _port(spec, request["port"])
    url = f"{request.get('scheme', 'HTTP').lower()}://{host}:{port}/{request.get('path', '/').lstrip('/')}"
    headers = {item["name"]: item["value"] for item in request.get("httpHeaders") or []}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, headers=headers), timeout=seconds) as response:
            return True, str(response.status)
    except urllib.error.HTTPError as error:
        return False, f"HTTP probe failed with statuscode: {error.code}"


def _port(spec: dict[str, Any], port: int | str) -> int:
    for declared in spec.get("ports") or []:
        if declared.get("name") == port:
            return int(declared["containerPort"])
    return int(port)
