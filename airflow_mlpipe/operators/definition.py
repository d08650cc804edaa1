"""What an author says of a step, checked while the DAG file is parsed: the same for a step and for a mapped one.

The one thing that is read from disk is whether the script, the folder and the requirements file exist (one ``stat``
each): a missing script is the commonest mistake, and it is cheaper to hear of it now than from a GPU node.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow_mlpipe.errors import DefinitionError, PathError
from airflow_mlpipe.model.data import check_relative
from airflow_mlpipe.model.environment import Environment, Secret
from airflow_mlpipe.model.names import check_port
from airflow_mlpipe.model.resources import Resources
from airflow_mlpipe.model.reuse import Reuse
from airflow_mlpipe.operators.ports import is_xcom

CODE_MODES = ("closure", "directory", "version")
_DEFAULT = Reuse()
# `resources` is what an author writes; in a step it is `step_resources`, as Airflow has an attribute of that name.
_TYPES = (("environment", Environment), ("resources", Resources), ("step_resources", Resources), ("reuse", Reuse))


def check_types(given: Mapping[str, Any], *, where: str) -> None:
    """Check the arguments of a step that are values of ours.

    :raises DefinitionError: naming the argument, the value and what would be valid.
    """
    for name, kind in _TYPES:
        if (value := given.get(name)) is not None and not isinstance(value, kind):
            raise DefinitionError(f"{name} must be of type {kind.__name__}", where=where, given=value)
    if (target := given.get("compute_target", "local")) is not None and not isinstance(target, str):
        raise DefinitionError("compute_target is the name of a compute", where=where, given=target)
    if given.get("code", "closure") not in CODE_MODES:
        raise DefinitionError("unknown code mode", where=where, given=given["code"], valid=CODE_MODES)
    if given.get("code") == "version" and (given.get("reuse") or Reuse()).version is None:
        raise DefinitionError("code='version' needs a version", where=where, fix="add reuse=Reuse(version='1')")
    if isinstance(include := given.get("include", ()), str):
        raise DefinitionError(
            "include is a list of patterns", where=where, given=include, fix=f"write include=[{include!r}]"
        )
    if (timeout := given.get("execution_timeout")) is not None and not isinstance(timeout, timedelta):
        raise DefinitionError("execution_timeout is a timedelta", where=where, given=timeout)
    for name, secret in (given.get("secrets") or {}).items():
        check_port(name, where=f"{where}: secrets")
        if not isinstance(secret, Secret):
            raise DefinitionError(
                "a secret is given by reference",
                where=f"{where}: secrets[{name!r}]",
                valid="Secret(connection=...) or Secret(variable=...)",
            )
    parameters = given.get("parameters")
    if parameters is not None and not isinstance(parameters, Mapping) and not is_xcom(parameters):
        raise DefinitionError("parameters is a dict of name to value", where=where, given=parameters)
    if isinstance(parameters, Mapping):
        for name in parameters:
            check_port(name, where=f"{where}: parameters")


def check_compute(given: Mapping[str, Any], *, where: str) -> None:
    """The compute can do what the environment asks for, as far as its name tells: its description is not read here.

    :raises DefinitionError: for an image on the local one, and no image on the Docker one.
    """
    target = given.get("compute_target", "local")
    image = getattr(given.get("environment"), "image", None)
    if image is not None and target == "local":
        from airflow_mlpipe.compute.local import refuse_image

        refuse_image(image, where=where)
    if image is None and target == "docker":
        from airflow_mlpipe.compute.config import refuse_no_image

        refuse_no_image(target, where=where)


def effective_reuse(reuse: Reuse | None, allow_reuse: bool, *, where: str) -> Reuse:
    """``allow_reuse=False`` is Azure ML's spelling of ``Reuse(policy="never")``."""
    if not isinstance(allow_reuse, bool):
        raise DefinitionError("allow_reuse is True or False", where=where, given=allow_reuse)
    if allow_reuse:
        return reuse or _DEFAULT
    if reuse is not None and reuse.policy != "if_unchanged":
        raise DefinitionError(
            "allow_reuse=False and a reuse policy contradict each other",
            where=where,
            given=reuse.policy,
            fix="give one",
        )
    base = reuse or _DEFAULT
    return Reuse(policy="never", version=base.version, ignore=base.ignore)


def source_root(source_directory: str, dag_file: str) -> str:
    """Absolute path of the source folder: relative ones start at the folder of the DAG file."""
    return os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(dag_file)), source_directory))


def check_files(given: Mapping[str, Any], dag_file: str | None, *, where: str, seen: set[tuple[object, ...]]) -> None:
    """Script, source folder and requirements file exist.

    :param seen: those of the DAG that were found already; what is found is added.
    :raises DefinitionError: naming the full path that was looked at, what is there instead, and the fix.
    """
    directory, script = given.get("source_directory"), given.get("script_name")
    requirements = getattr(given.get("environment"), "requirements", None)
    if (directory, script, requirements) in seen:
        return
    if dag_file is None or not os.path.isfile(dag_file):
        return  # a DAG built where its file is not, for example from its serialised form
    if isinstance(directory, str):
        root = source_root(directory, dag_file)
        if not os.path.isdir(root):
            raise DefinitionError(
                "the source folder does not exist",
                where=f"{where}: source_directory",
                given=directory,
                fix=f"create {root}, or give a path relative to the folder of {os.path.basename(dag_file)}",
            )
        if isinstance(script, str):
            _check_script(root, script, where)
    if requirements is not None and not os.path.isfile(path := source_root(requirements, dag_file)):
        raise DefinitionError(
            "the requirements file does not exist",
            where=f"{where}: environment",
            given=requirements,
            fix=f"create {path}",
        )
    if isinstance(directory, (str, type(None))) and isinstance(script, (str, type(None))):
        seen.add((directory, script, requirements))


def _check_script(root: str, script: str, where: str) -> None:
    try:
        relative = check_relative(script, where=f"{where}: script_name")
    except PathError as error:
        raise DefinitionError(error.what, where=error.where, given=script, fix=error.fix) from error
    if os.path.isfile(os.path.join(root, relative)):
        return
    scripts = sorted(n for n in os.listdir(root) if n.endswith((".py", ".sh", ".R")))
    raise DefinitionError(
        f"there is no such script in {root}",
        where=f"{where}: script_name",
        given=script,
        valid=scripts[:20] or "the folder holds no script",
    )


def check_argument_ports(arguments: Any, inputs: list[dict[str, Any]], outputs: tuple[str, ...], *, where: str) -> None:
    """Every port that an argument names is one of the step's.  :raises DefinitionError: naming it and the others."""
    if not isinstance(arguments, list):
        return
    known = {"input": [p["name"] for p in inputs], "output": list(outputs)}
    for index, argument in enumerate(arguments):
        for side, names in known.items():
            if isinstance(argument, dict) and side in argument and argument[side] not in names:
                raise DefinitionError(
                    f"the step has no {side} of this name",
                    where=f"{where}: arguments[{index}]",
                    given=argument[side],
                    valid=names or f"it has no {side}s",
                )
