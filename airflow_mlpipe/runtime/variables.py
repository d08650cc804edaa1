"""Stage: the whole environment of a step's process.  What is not made here, the program does not see.

From the host, because it describes the host and not the deployment:

- ``PATH`` (the environment's programs first), ``LD_LIBRARY_PATH``, ``CUDA_VISIBLE_DEVICES`` and its kin;
- how the network is reached: certificates, and proxies unless their URL holds a password;
- ``USER`` and ``LOGNAME``.

Fixed, so that a result does not depend on the host: ``LANG`` and ``LC_ALL`` C.UTF-8, ``TZ`` UTC, ``PYTHONHASHSEED`` 0,
``PYTHONUNBUFFERED``, ``PYTHONDONTWRITEBYTECODE``, ``PYTHONIOENCODING``.

Of the attempt: ``HOME`` and ``TMPDIR``, empty at the start and removed with it.  ``XDG_CACHE_HOME`` is the host's
and shared by all steps, so that downloaded models and font lists are not made again each time.

Then what the author declared, then ours (``MLPIPE_...``, and Azure ML's names for old scripts).  Nothing else of the
worker's environment: in particular no ``AIRFLOW__...`` and no ``AIRFLOW_CONN_...``.
"""

from __future__ import annotations

import os
import pwd
import site
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_mlpipe.errors import ConfigurationError, DefinitionError
from airflow_mlpipe.model.step import StepSpec
from airflow_mlpipe.runtime.environments import Interpreter
from airflow_mlpipe.runtime.exchange import as_text, parameters_of, write_exchange, write_secrets
from airflow_mlpipe.runtime.layout import Staged
from airflow_mlpipe.runtime.view import View

if TYPE_CHECKING:
    from airflow_mlpipe.runtime.runner import Folders

FROM_HOST = (
    "LD_LIBRARY_PATH",
    "CUDA_VISIBLE_DEVICES",
    "CUDA_DEVICE_ORDER",
    "NVIDIA_VISIBLE_DEVICES",
    "NVIDIA_DRIVER_CAPABILITIES",
    "ROCR_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "no_proxy",
    "NO_PROXY",
)
"""Handed on as they are."""

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
"""Handed on unless the URL holds a user or a password: then an author names them in ``pass_variables``."""

FIXED = {
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "PYTHONHASHSEED": "0",
    "PYTHONUNBUFFERED": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONIOENCODING": "utf-8",
}

LONGEST = 100_000
"""Bytes of the longest ``AML_PARAMETER_<name>`` (Linux takes 128 KiB); a longer one is only in ``MLPIPE_PARAMS``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an environment is made of besides the step.

    :param view: how the program sees the host's paths.
    :param worker: the worker's own environment.
    """

    folders: Folders
    staged: Staged
    interpreter: Interpreter
    view: View
    worker: Mapping[str, str]


def make_variables(step: StepSpec, around: Surroundings, secrets: Mapping[str, str]) -> dict[str, str]:
    """The environment of a step's process.  Writes the files that it points to (parameters, secrets).

    Raises what :func:`name_variables` raises.
    """
    write_exchange(around.folders.layout, step)
    write_secrets(around.folders.layout, secrets)
    return name_variables(step, around, secrets)


def name_variables(step: StepSpec, around: Surroundings, secrets: Iterable[str]) -> dict[str, str]:
    """The same by names alone: nothing is written, and none of the folders need be there.

    :raises ConfigurationError: when a variable of ``pass_variables`` is not set on this worker.
    :raises DefinitionError: when two ports differ only in case, so that they would share a variable.
    """
    variables = (_of_host(around) if around.interpreter.is_of_host else {}) | FIXED | _of_attempt(around)
    variables |= step.environment.variables
    for name in step.environment.pass_variables:
        if name not in around.worker:
            raise ConfigurationError(
                "a variable of pass_variables is not set on this worker",
                where=step.label,
                given=name,
                fix="set it there",
            )
        variables[name] = around.worker[name]
    ours = [around.view(p) for p in (around.folders.pysite, around.folders.kernel) if p is not None]
    if ours:
        given = variables.get("PYTHONPATH") or around.interpreter.path
        variables["PYTHONPATH"] = os.pathsep.join([*ours, given] if given else ours)
    variables |= _of_ports(step, around)
    variables |= _of_exchange(step, around)
    variables |= _of_secrets(around, secrets)
    return variables


def _of_host(around: Surroundings) -> dict[str, str]:
    worker, interpreter = around.worker, around.interpreter
    found = {name: worker[name] for name in FROM_HOST if name in worker}
    found |= {name: worker[name] for name in PROXIES if name in worker and "@" not in urlsplit(worker[name]).netloc}
    found["PATH"] = os.pathsep.join([str(interpreter.bin), worker.get("PATH", os.defpath)])
    if interpreter.prefix is not None:
        found["VIRTUAL_ENV"] = str(interpreter.prefix)
    elif interpreter.python == Path(sys.executable) and site.ENABLE_USER_SITE:
        # Packages of the worker's Python that pip put below its home, as in Airflow's own container image.
        found["PYTHONUSERBASE"] = site.getuserbase()
    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # containers run with any number
        user = f"uid{os.geteuid()}"
    return found | {"USER": user, "LOGNAME": user}


def _of_attempt(around: Surroundings) -> dict[str, str]:
    view, layout = around.view, around.folders.layout
    return {"HOME": view(layout.home), "TMPDIR": view(layout.tmp), "XDG_CACHE_HOME": view(around.folders.caches)}


def _of_ports(step: StepSpec, around: Surroundings) -> dict[str, str]:
    variables: dict[str, str] = {}
    staged = around.staged
    for direction, paths in (("OUTPUT", staged.outputs), ("INPUT", staged.inputs)):
        for name, path in paths.items():
            ours = f"MLPIPE_{direction}_{name.upper()}"
            if ours in variables:
                raise DefinitionError(
                    "two ports differ only in case",
                    where=step.label,
                    given=name,
                    fix=f"rename one: both would be {ours}",
                )
            variables[ours] = variables[f"AZURE_ML_{direction}_{name}"] = around.view(path)
            variables[f"AZUREML_DATAREFERENCE_{name}"] = around.view(path)  # in Azure, inputs and outputs alike
    return variables


def _of_exchange(step: StepSpec, around: Surroundings) -> dict[str, str]:
    layout, view = around.folders.layout, around.view
    parameters = parameters_of(step)
    texts = {name: as_text(value) for name, value in parameters.items()}
    return {f"AML_PARAMETER_{n}": t for n, t in texts.items() if len(t.encode()) <= LONGEST and "\0" not in t} | {
        "MLPIPE_PARAMS": view(layout.params),
        "MLPIPE_METRICS": view(layout.metrics),
        "MLPIPE_RESULT": view(layout.result),
        "MLPIPE_CHECKPOINT_DIR": view(around.folders.checkpoints),
    }


def _of_secrets(around: Surroundings, names: Iterable[str]) -> dict[str, str]:
    return {f"MLPIPE_SECRET_{name.upper()}": around.view(around.folders.layout.private / name) for name in names}
