"""The executor's containers on a real Docker engine, without an Airflow: launch, look, end, stop, sweep."""

from __future__ import annotations

import secrets
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from support.gate import TlsGate

from airflow_mlpipe.errors import ContainerEngineError
from airflow_mlpipe.executors import spec
from airflow_mlpipe.executors.config import DockerConfig
from airflow_mlpipe.executors.engine import Engine
from airflow_mlpipe.executors.fleet import Event, Fleet, Order
from airflow_mlpipe.executors.logs import TaskLogs
from airflow_mlpipe.executors.options import Options
from tools.airflow_embedded import wait_for

pytestmark = pytest.mark.docker

SECONDS = 120


@dataclass
class Place:
    """A deployment of its own on the engine: what it made is removed after the test."""

    engine: Any
    options: Options
    folder: Path
    fleets: list[Fleet] = field(default_factory=list)

    def fleet(self, **options: Any) -> Fleet:
        """A scheduler's fleet."""
        self.fleets.append(Fleet(replace(self.options, **options), TaskLogs(self.folder)))
        return self.fleets[-1]

    def order(self, script: str, *, task: spec.Task, config: DockerConfig | None = None, **options: Any) -> Order:
        """A container as the executor's, but with a shell script as its program."""
        document = spec.container_document(task, config or DockerConfig(), replace(self.options, **options))
        document["Cmd"] = ["sh", "-c", script]
        return Order(name=spec.container_name(task, secrets.token_hex(4)), document=document, workload=b'{"a": 1}')

    def run(self, fleet: Fleet, script: str, config: DockerConfig | None = None) -> spec.Task:
        """Launch a script; the key is the task."""
        task = new_task()
        fleet.launch(task, task.id, task.log_path, lambda: self.order(script, task=task, config=config))
        return task

    @property
    def containers(self) -> list[Any]:
        """The deployment's."""
        label = f"{spec.DEPLOYMENT}={self.options.deployment}"
        return self.engine.containers.list(all=True, ignore_removed=True, filters={"label": label})

    def log(self, task: spec.Task) -> str:
        """All files of a task's log."""
        path = self.folder / task.log_path
        return "".join(file.read_text() for file in sorted(path.parent.glob(path.name + "*")))


def new_task() -> spec.Task:
    name = secrets.token_hex(4)
    return spec.Task(
        id=name, dag_id="d", task_id="t", run_id="r", map_index=-1, try_number=1, log_path=f"d/{name}/attempt=1.log"
    )


@pytest.fixture
def place(engine, base_image, tmp_path) -> Iterator[Place]:
    """A deployment of its own."""
    options = Options(
        deployment=secrets.token_hex(8),
        image=base_image,
        pull="never",
        api_url="http://api-server:8080/execution/",
        executors="",
        environment={},
        labels={},
        grace_seconds=1,
        orphan_seconds=0,
    )
    found = Place(engine, options, tmp_path)
    yield found
    for fleet in found.fleets:
        fleet.close()
    for container in found.containers:
        container.remove(force=True)


def events_of(fleet: Fleet, task: spec.Task) -> list[Event]:
    """Poll until the task's end is told: all that was told of it."""
    events: list[Event] = []

    def has_ended() -> bool:
        events.extend(event for event in fleet.poll() if event.key == task)
        return bool(events) and events[-1].ended

    wait_for(has_ended, SECONDS, every=0.1)
    return events


def poll_until(fleet: Fleet, ready) -> list[Event]:
    """Poll until something is so: what was told meanwhile."""
    events: list[Event] = []

    def is_ready() -> bool:
        events.extend(fleet.poll())
        return bool(ready())

    wait_for(is_ready, SECONDS, every=0.1)
    return events


def test_an_end_is_told_and_its_output_is_in_the_log(place):
    """Start, end, log, removal, in this order."""
    fleet = place.fleet()
    task = place.run(fleet, "cat /airflow-workload.json; echo said")
    started, ended = events_of(fleet, task)
    assert not started.ended
    assert (ended.container, ended.failure) == (started.container, None)
    poll_until(fleet, lambda: not place.containers)
    assert place.log(task) == '{"a": 1}said\n'


def test_a_container_that_wrote_the_log_itself_adds_nothing_to_it(place):
    """With a shared log folder the output would be there twice."""
    fleet = place.fleet(allowed_mounts=(str(place.folder),))
    task = new_task()
    own = place.folder / task.log_path
    own.parent.mkdir(parents=True)
    order = place.order(
        f"echo own >> /logs/{task.log_path}; echo printed",
        task=task,
        config=DockerConfig(mounts=[f"{place.folder}:/logs:rw"]),
        allowed_mounts=(str(place.folder),),
    )
    fleet.launch(task, task.id, task.log_path, lambda: order)
    events_of(fleet, task)
    poll_until(fleet, lambda: not place.containers)
    assert place.log(task) == "own\n"


def test_too_much_memory_is_told_as_that(place):
    """With the limit."""
    fleet = place.fleet()
    task = place.run(fleet, "tail /dev/zero", DockerConfig(memory="16Mi"))
    ended = events_of(fleet, task)[-1]
    assert "used more memory than its limit of 16 MiB (exit code 137)" in ended.failure
    poll_until(fleet, lambda: not place.containers)
    assert "used more memory than its limit of 16 MiB" in place.log(task)


def test_gpus_are_requested_of_the_engine(place):
    """The created container has the requests; on a machine without GPUs its start fails in words, and it is removed."""
    engine = Engine(place.options)
    order = place.order("true", task=new_task(), config=DockerConfig(gpus=["0", "1"]))
    container = engine.create(order.name, order.document, order.workload)
    (request,) = place.engine.api.inspect_container(container)["HostConfig"]["DeviceRequests"]
    assert (request["Count"], request["DeviceIDs"], request["Capabilities"]) == (0, ["0", "1"], [["gpu"]])
    if any("nvidia" in runtime for runtime in place.engine.info()["Runtimes"]):
        pytest.skip("this engine has GPUs")
    with pytest.raises(ContainerEngineError, match="GPUs are asked for, and the engine can give none to a container"):
        engine.start(container)
    assert not place.containers


@pytest.mark.parametrize(
    ("config", "script", "words"),
    [
        (DockerConfig(image="mlpipe-tests/none:1"), "true", "the image is not on the engine"),
        (DockerConfig(mounts=["/nowhere/at/all:/x"]), "true", "is not on the engine's machine"),
        (DockerConfig(network="no-such-net"), "true", "no-such-net"),
    ],
)
def test_a_launch_that_fails_is_told_in_words_and_leaves_nothing(place, config, script, words):
    """In the event, and in the task's log."""
    allowed = {"allowed_mounts": ("/nowhere",), "allowed_networks": ("no-such-net",)}
    fleet, task = place.fleet(), new_task()
    fleet.launch(task, task.id, task.log_path, lambda: place.order(script, task=task, config=config, **allowed))
    (ended,) = events_of(fleet, task)
    assert words in ended.failure
    assert words in place.log(task)
    assert not place.containers


def test_an_image_that_no_registry_has_is_told_in_words(place):
    """With ``pull = missing`` it is asked for first."""
    fleet = place.fleet(pull="missing")
    task = place.run(fleet, "true", DockerConfig(image="127.0.0.1:9/none:1"))
    (ended,) = events_of(fleet, task)
    assert "image 127.0.0.1:9/none:1" in ended.failure


def test_a_program_that_is_not_in_the_image_is_told_in_words(place):
    """An image without Python is the usual one."""
    fleet, task = place.fleet(), new_task()
    order = place.order("true", task=task)
    document = {**order.document, "Cmd": ["no-such-python"]}
    fleet.launch(task, task.id, task.log_path, lambda: replace(order, document=document))
    (ended,) = events_of(fleet, task)
    assert "the image has no program python" in ended.failure
    assert not place.containers


def test_a_cancelled_container_is_asked_to_end_and_then_killed_and_nothing_is_told(place):
    """Whoever cancels knows it."""
    fleet = place.fleet(keep_failed=True)
    task = place.run(fleet, "trap 'echo asked' TERM; echo up; while :; do sleep 0.1; done")
    poll_until(fleet, lambda: place.containers and b"up" in place.containers[0].logs())
    fleet.cancel(task)
    events = poll_until(fleet, lambda: place.containers[0].attrs["State"]["Status"] == "exited")
    assert not [event for event in events if event.ended]
    (container,) = place.containers
    assert (container.logs(), container.attrs["State"]["ExitCode"]) == (b"up\nasked\n", 137)


def test_a_launch_that_is_cancelled_ends_as_soon_as_it_runs(place):
    """It may be under way when its task is revoked."""
    fleet = place.fleet()
    task = place.run(fleet, "sleep 1000")
    fleet.cancel(task)
    poll_until(fleet, lambda: place.containers)
    events = poll_until(fleet, lambda: not place.containers)
    assert events == []


def test_of_two_containers_of_one_key_only_the_end_of_the_second_counts(place):
    """A task that was deferred is back before the end of its first container was seen."""
    fleet, task = place.fleet(), new_task()
    for script in ("exit 3", "exit 0"):
        fleet.launch(task, task.id, task.log_path, lambda script=script: place.order(script, task=task))
    events = events_of(fleet, task)
    assert [event.failure for event in events if event.ended] == [None]
    assert poll_until(fleet, lambda: not place.containers) == []


def test_a_container_that_something_else_removed_is_told(place):
    """Its task would wait for ever."""
    fleet = place.fleet()
    task = place.run(fleet, "sleep 1000")
    poll_until(fleet, lambda: place.containers)
    (container,) = place.containers
    container.remove(force=True)
    assert "is gone: something else removed it" in events_of(fleet, task)[-1].failure


def test_what_a_dead_scheduler_left_is_adopted_or_swept_and_others_are_left_alone(place):
    """Ended and never started ones go, with their output in the log; those of another deployment stay."""
    dead = place.fleet()
    ended, running, never, other = (new_task() for _ in range(4))
    engine = Engine(place.options)
    for task, script in ((ended, "echo last words"), (running, "sleep 1000"), (never, "true")):
        order = place.order(script, task=task)
        container = engine.create(order.name, order.document, order.workload)
        if task is not never:
            engine.start(container)
    order = place.order("true", task=other, deployment=place.options.deployment + "x")
    foreign = place.engine.containers.get(engine.create(order.name, order.document, order.workload))
    dead.close()

    fleet = place.fleet()
    try:
        found = fleet.find([running.id, never.id])
        assert set(found) == {running.id}
        fleet.follow(running, found[running.id])
        poll_until(fleet, lambda: len(place.containers) == 1)
        assert place.log(ended) == "last words\n"
        place.containers[0].kill("SIGKILL")
        assert "was killed (exit code 137)" in events_of(fleet, running)[-1].failure
        poll_until(fleet, lambda: not place.containers)
        foreign.reload()
    finally:
        foreign.remove(force=True)


def test_a_container_that_is_being_launched_is_not_swept(place):
    """It is there before it is started, and before its id is known."""
    fleet, task, go = place.fleet(), new_task(), threading.Event()
    engine = Engine(place.options)
    order = place.order("true", task=task)
    created = engine.create(order.name, order.document, order.workload)

    def make() -> Order:
        go.wait(SECONDS)
        return place.order("true", task=task)

    fleet.launch(task, task.id, task.log_path, make)
    orphan = place.order("true", task=new_task())
    engine.create(orphan.name, orphan.document, orphan.workload)
    poll_until(fleet, lambda: len(place.containers) == 1)  # of the two that are not started
    assert place.containers[0].id == created
    go.set()
    events_of(fleet, task)
    poll_until(fleet, lambda: not place.containers)


def test_failed_containers_are_kept_on_request(place):
    """Also by a scheduler that did not launch them; what succeeded goes."""
    fleet = place.fleet(keep_failed=True)
    failed, fine = place.run(fleet, "exit 3"), place.run(fleet, "exit 0")
    assert "ended with exit code 3 before it had told the task's state" in events_of(fleet, failed)[-1].failure
    poll_until(fleet, lambda: len(place.containers) == 1)
    later = place.fleet(keep_failed=True)
    events_of(later, place.run(later, "exit 0"))
    poll_until(later, lambda: len(place.containers) == 1)
    assert place.containers[0].attrs["State"]["ExitCode"] == 3
    assert place.log(fine) == ""


def test_an_engine_that_is_not_there_fails_a_launch_in_words(place):
    """And adoption says so, too."""
    fleet = place.fleet(host=f"unix://{place.folder}/no-engine.sock")
    task = place.run(fleet, "true")
    (ended,) = events_of(fleet, task)
    assert f"Docker engine at unix://{place.folder}/no-engine.sock" in ended.failure
    assert "the engine does not answer" in ended.failure
    with pytest.raises(ContainerEngineError, match="the engine does not answer"):
        fleet.find([task.id])


@pytest.fixture
def certificates(tmp_path) -> dict[str, Path]:
    """One self-signed certificate with its key, for 127.0.0.1, that serves as CA, server's and client's."""
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(timezone.utc)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mlpipe-tests")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, private = tmp_path / "cert.pem", tmp_path / "key.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return {"certificate": pem, "key": private}


def test_an_engine_behind_tls_takes_a_client_with_a_certificate_and_no_other(place, certificates):
    """Over TCP, as a remote engine listens."""
    socket = place.engine.api.base_url
    if not socket.startswith("http+docker://"):
        pytest.skip("this engine is remote already")
    certificate, key = str(certificates["certificate"]), str(certificates["key"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    gate = TlsGate(context, place.folder / "unused.sock", "/var/run/docker.sock")
    gate.open()
    try:
        host = f"tcp://127.0.0.1:{gate.port}"
        fleet = place.fleet(host=host, tls=(certificate, certificate, key))
        task = place.run(fleet, "echo through tls")
        assert events_of(fleet, task)[-1].failure is None
        poll_until(fleet, lambda: not place.containers)
        assert place.log(task) == "through tls\n"
        with pytest.raises(ContainerEngineError):
            Engine(replace(place.options, host=host, tls=(certificate, "", ""))).look()
    finally:
        gate.close()
