"""The section ``[mlpipe_docker]``, read and checked."""

from __future__ import annotations

import pytest

from airflow_mlpipe.errors import ConfigurationError
from airflow_mlpipe.executors.mount import Mount
from airflow_mlpipe.executors.options import read_options
from airflow_mlpipe.provider import get_provider_info


@pytest.fixture
def section(monkeypatch):
    """Set options; the address of the API is one that containers reach."""
    options = {"api_url": "http://api-server:8080/execution/"}

    def put(**more: str) -> None:
        for name, value in {**options, **more}.items():
            monkeypatch.setenv(f"AIRFLOW__MLPIPE_DOCKER__{name.upper()}", value)

    return put


def test_the_defaults_are_those_that_are_declared(section):
    """The description in ``provider.py``, and what is read where nothing is set."""
    section()
    options = read_options()
    declared = get_provider_info()["config"]["mlpipe_docker"]["options"]
    for name in ("timeout", "grace_seconds", "orphan_seconds"):
        assert getattr(options, name) == float(declared[name]["default"])
    assert options.pull == declared["pull"]["default"]
    assert options.keep_failed is False
    assert (options.host, options.image, options.network, options.slots) == (None, None, None, None)
    assert (options.mounts, options.allowed_mounts, options.allowed_networks) == ((), (), ())


def test_lists_and_variables_are_read(section, monkeypatch):
    """Separated by commas; a variable by its name has the scheduler's value, and is left out where it has none."""
    monkeypatch.setenv("COLOUR", "red")
    section(
        mounts="/a:/b, models:/m:rw", allowed_mounts="/srv/x,y", labels="team=a", environment="COLOUR,ABSENT_X,B=2=3"
    )
    options = read_options()
    assert options.mounts == (
        Mount(source="/a", target="/b", read_only=True),
        Mount(source="models", target="/m", read_only=False),
    )
    assert options.allowed_mounts == ("/srv/x", "y")
    assert options.environment == {"B": "2=3", "COLOUR": "red"}
    assert options.labels == {"team": "a"}


def test_a_deployment_is_known_by_its_database_and_address_and_not_by_its_password(section, monkeypatch):
    """The same after a restart and a change of the password; another for another database or address."""

    def of(database: str, base_url: str) -> str:
        monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", database)
        monkeypatch.setenv("AIRFLOW__API__BASE_URL", base_url)
        return read_options().deployment

    section()
    first = of("postgresql://u:one@db/airflow", "http://a")
    assert of("postgresql://u:two@db/airflow", "http://a") == first
    assert (
        len({first, of("postgresql://u:one@db/other", "http://a"), of("postgresql://u:one@db/airflow", "http://b")})
        == 3
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"timeout": "0"}, "[mlpipe_docker] timeout: not a number in range"),
        ({"grace_seconds": "inf"}, "[mlpipe_docker] grace_seconds: not a number in range"),
        ({"grace_seconds": "nan"}, "[mlpipe_docker] grace_seconds: not a number in range"),
        ({"slots": "none"}, "[mlpipe_docker] slots: not a number in range"),
        ({"pull": "sometimes"}, "[mlpipe_docker] pull: not a way to pull"),
        ({"mounts": "/a"}, "[mlpipe_docker] mounts: not a mount"),
        ({"labels": "team"}, "[mlpipe_docker] labels: not a label"),
        ({"tls_client_cert": "/dev/null"}, "[mlpipe_docker] tls_client_cert: a certificate and its key go together"),
        ({"tls_ca_cert": "/nowhere"}, "[mlpipe_docker] tls_ca_cert: no such file"),
        ({"environment": "AIRFLOW_CONN_DB"}, "whoever may inspect a container would see this secret"),
        ({"environment": "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"}, "would see this secret"),
        ({"environment": "AIRFLOW__CORE__FERNET_KEY=x"}, "given: 'AIRFLOW__CORE__FERNET_KEY'"),
        ({"api_url": "http://localhost:8080/execution/"}, "in a container this address is the container itself"),
    ],
)
def test_a_wrong_option_is_named(section, given, words):
    """The message says which option, what was given, and what is valid."""
    section(**given)
    with pytest.raises(ConfigurationError) as error:
        read_options()
    assert words in str(error.value)


def test_an_address_of_this_machine_is_right_in_its_own_network(section):
    """With ``network = host`` a container reaches localhost."""
    section(api_url="http://127.0.0.1:8080/execution/", network="host")
    assert read_options().api_url == "http://127.0.0.1:8080/execution/"
