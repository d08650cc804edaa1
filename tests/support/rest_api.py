"""A real HTTP server that speaks the few routes of Airflow's REST API that ``submit`` uses.

Its answers have the members that ``tests/unit/experiment/test_shapes.py`` compares with Airflow's own data models.
"""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

MOMENT = "2026-01-31T08:30:{:02d}.000000Z"


@dataclass
class FakeDag:
    tasks: dict[str, list[str]] = field(default_factory=lambda: {"prepare": ["train"], "train": []})
    params: dict[str, dict] = field(default_factory=dict)
    is_paused: bool = False


@dataclass
class FakeStep:
    task_id: str
    state: str | None
    decision: dict | None = None
    map_index: int = -1
    try_number: int = 1
    seconds: float = 3.5


@dataclass
class Frame:
    """What the API shows from one question about the run to the next."""

    state: str
    steps: list[FakeStep] = field(default_factory=list)


class FakeAirflow:
    """State that a test sets up, and what the server was asked."""

    def __init__(self) -> None:
        self.dags: dict[str, FakeDag] = {"digits": FakeDag()}
        self.passwords = {"ml": "correct horse"}
        self.valid_tokens = {"token-of-ml"}
        self.all_admins = False
        self.frames = deque([Frame("success")])
        self.outputs: dict[tuple[str, str], object] = {}
        self.log: list[dict] = [{"event": "training"}, {"timestamp": MOMENT.format(5), "event": "exit code 3"}]
        self.runs: dict[str, dict] = {}
        self.import_errors: list[tuple[str, str]] = []  # file and stack trace, the newest first
        self.requests: list[tuple[str, str, dict | None]] = []
        self.next_statuses: deque[int] = deque()
        self.drop_answer_to: str | None = None
        self.page_limit = 100
        self.url = ""

    def asked(self, method: str, suffix: str) -> list[dict | None]:
        """Bodies of the requests of that method whose path ends so."""
        return [body for m, path, body in self.requests if m == method and path.endswith(suffix)]

    # -------------------------------------------------------------------------------------------------------- answers
    def answer(self, method: str, path: str, query: dict[str, str], body: dict | None, token: str | None):
        """Status and body."""
        if path == "/auth/token":
            return self._log_in(method, body)
        if token not in self.valid_tokens:
            return 401, {"detail": "Invalid JWT token"}
        parts = [unquote(p) for p in path.removeprefix("/api/v2/").split("/")]
        if parts == ["importErrors"]:
            found = [
                {
                    "import_error_id": n,
                    "timestamp": MOMENT.format(0),
                    "filename": f,
                    "bundle_name": "",
                    "stack_trace": t,
                }
                for n, (f, t) in enumerate(self.import_errors)
            ]
            return 200, {"import_errors": self._page(found, query), "total_entries": len(found)}
        if parts[1] not in self.dags:
            return 404, {"detail": f"The Dag with ID: `{parts[1]}` was not found"}
        dag = self.dags[parts[1]]
        if parts[2:] == ["details"]:
            return 200, {"dag_id": parts[1], "is_paused": dag.is_paused, "params": dag.params}
        if parts[2:] == ["tasks"]:
            tasks = [{"task_id": t, "downstream_task_ids": d} for t, d in dag.tasks.items()]
            return 200, {"tasks": tasks, "total_entries": len(tasks)}
        if len(parts) == 2 and method == "PATCH":
            dag.is_paused = body["is_paused"]
            return 200, {"dag_id": parts[1], "is_paused": dag.is_paused}
        return self._runs(method, parts, query, body)

    def _log_in(self, method: str, body: dict | None):
        if method == "GET":
            return (201, {"access_token": "token-of-ml"}) if self.all_admins else (403, {"detail": "not allowed"})
        if self.passwords.get(body["username"]) == body["password"]:
            self.valid_tokens.add("token-of-ml")
            return 201, {"access_token": "token-of-ml"}
        return 401, {"detail": f"Invalid credentials {body}"}  # the worst server: it repeats what it was sent

    def _runs(self, method: str, parts: list[str], query: dict[str, str], body: dict | None):
        if method == "POST":
            return self._trigger(parts[1], body)
        run = self.runs.get(parts[3])
        if run is None:
            return 404, {"detail": "The DagRun was not found"}
        if method == "PATCH":
            self.frames = deque([Frame(body["state"])])
            return 200, run | body
        if len(parts) == 4:
            if run["asked"] and len(self.frames) > 1:
                self.frames.popleft()
            run["asked"] = True
            return 200, self._run(run)
        return self._instances(parts[1], parts[3], parts[5:], query)

    def _trigger(self, dag_id: str, body: dict):
        if body["dag_run_id"] in self.runs:
            return 409, {"detail": "DAGRun already exists"}
        if body["conf"].get("lr") == -1:
            return 400, {"detail": "Invalid input for param lr: -1 is less than the minimum of 0"}
        self.runs[body["dag_run_id"]] = {
            "dag_id": dag_id,
            "dag_run_id": body["dag_run_id"],
            "conf": body["conf"],
            "asked": False,
        }
        return 200, self._run(self.runs[body["dag_run_id"]])

    def _run(self, run: dict) -> dict:
        shown = {k: v for k, v in run.items() if k != "asked"}
        return shown | {"state": self.frames[0].state, "start_date": MOMENT.format(0), "duration": 14.25}

    def _instances(self, dag_id: str, run_id: str, rest: list[str], query: dict[str, str]):
        common = {"dag_id": dag_id, "timestamp": MOMENT.format(1)}
        steps = self.frames[0].steps
        if not rest:
            found = [self._instance(dag_id, run_id, s) for s in steps]
            return 200, {"task_instances": self._page(found, query), "total_entries": len(found)}
        if rest[1] == "logs":
            return 200, {"content": self.log, "continuation_token": None}
        if rest[0] == "~":
            found = [
                common
                | {"run_id": run_id, "task_id": s.task_id, "map_index": s.map_index, "key": "mlpipe"}
                # Airflow's time of writing: a decision that is written again has a new one.
                | {"timestamp": MOMENT.format(len(json.dumps(s.decision)) % 60)}
                for s in steps
                if s.decision
            ]
            return 200, {"xcom_entries": self._page(found, query), "total_entries": len(found)}
        values = {(s.task_id, "mlpipe", s.map_index): s.decision for s in steps if s.decision}
        values |= {(task, key, -1): value for (task, key), value in self.outputs.items()}
        value = values.get((rest[0], rest[2], int(query.get("map_index", -1))))
        if value is None:
            return 404, {"detail": f"XCom entry with key: `{rest[2]}` not found"}
        return 200, common | {"run_id": run_id, "task_id": rest[0], "key": rest[2], "value": value}

    def _instance(self, dag_id: str, run_id: str, step: FakeStep) -> dict:
        return {
            "id": "0190b6a0-0000-7000-8000-000000000000",
            "dag_id": dag_id,
            "dag_run_id": run_id,
            "task_id": step.task_id,
            "map_index": step.map_index,
            "state": step.state,
            "try_number": step.try_number,
            "start_date": MOMENT.format(2),
            "duration": step.seconds,
            "rendered_map_index": None,
        }

    def _page(self, items: list[dict], query: dict[str, str]) -> list[dict]:
        offset = int(query.get("offset", 0))
        return items[offset : offset + min(self.page_limit, int(query["limit"]))]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: FakeAirflow

    def _handle(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        self.fake.requests.append((self.command, parts.path, body))
        if self.fake.next_statuses and (status := self.fake.next_statuses.popleft()) != 200:
            return self._write(status, {"detail": "for the test"})
        match = re.fullmatch(r"Bearer (.+)", self.headers.get("Authorization", ""))
        status, answer = self.fake.answer(
            self.command, parts.path, dict(parse_qsl(parts.query)), body, match and match[1]
        )
        if self.fake.drop_answer_to == self.command:
            self.fake.drop_answer_to = None
            self.close_connection = True
            return None
        return self._write(status, answer)

    def _write(self, status: int, answer: dict) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PATCH = _handle

    def log_message(self, *args: object) -> None:
        pass


class Server:
    """The fake behind a port of this machine; a context manager."""

    def __init__(self, fake: FakeAirflow, port: int = 0) -> None:
        handler = type("Handler", (_Handler,), {"fake": fake})
        self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        fake.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
