"""Which run parameters a template reads, found by looking at it, so that a changed one can be named as the reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import jinja2
from jinja2 import meta, nodes

_ENVIRONMENT = jinja2.Environment()  # noqa: S701 - it only parses, nothing is rendered


@dataclass(frozen=True, slots=True)
class Reads:
    """What a template reads.

    :param params: names below ``params``; ``None`` when it takes ``params`` as a whole.
    :param others: other names from the context (``ds``, ``run_id``, ``dag_run``).
    :param variables: names of Airflow variables, below ``var.value`` and ``var.json``.
    """

    params: frozenset[str] | None = frozenset()
    others: frozenset[str] = frozenset()
    variables: frozenset[str] = frozenset()

    @property
    def secret(self) -> bool:
        """Whether connections are read."""
        return "conn" in self.others


NOTHING = Reads()


@lru_cache(maxsize=4096)
def reads(template: str) -> Reads:
    """Look at one template; text without a template reads nothing.

    A syntax error counts as no template: Airflow will say so when it renders it.
    """
    if "{{" not in template and "{%" not in template:
        return NOTHING
    try:
        tree = _ENVIRONMENT.parse(template)
    except jinja2.TemplateSyntaxError:
        return NOTHING
    names: set[str] = set()
    accounted = 0
    for node in tree.find_all((nodes.Getattr, nodes.Getitem)):
        if (name := _param(node)) is not None:
            names.add(name)
            accounted += 1
    whole = sum(1 for n in tree.find_all(nodes.Name) if n.name == "params") > accounted
    others = frozenset(meta.find_undeclared_variables(tree)) - {"params"}
    variables = frozenset(
        name for node in tree.find_all((nodes.Getattr, nodes.Getitem, nodes.Call)) if (name := _variable(node))
    )
    return Reads(None if whole else frozenset(names), others, variables)


def _variable(node: nodes.Node) -> str:
    """The name in ``var.value.name``, ``var.json["name"]`` and ``var.value.get("name")``; empty for anything else."""
    if isinstance(node, nodes.Call):
        getter, argument = node.node, node.args[0] if node.args else None
        is_get = isinstance(getter, nodes.Getattr) and getter.attr == "get" and _is_variables(getter.node)
        return str(argument.value) if is_get and isinstance(argument, nodes.Const) else ""
    if isinstance(node, nodes.Getattr):
        return node.attr if node.attr != "get" and _is_variables(node.node) else ""
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const) and _is_variables(node.node):
        return str(node.arg.value)
    return ""


def _is_variables(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Getattr) and node.attr in ("value", "json") and _is_name(node.node, "var")


def _is_name(node: nodes.Node, name: str) -> bool:
    return isinstance(node, nodes.Name) and node.name == name


def _param(node: nodes.Node) -> str | None:
    """``x`` of ``params.x`` and ``params["x"]``."""
    if not isinstance(node, (nodes.Getattr, nodes.Getitem)) or not isinstance(node.node, nodes.Name):
        return None
    if node.node.name != "params":
        return None
    if isinstance(node, nodes.Getattr):
        return node.attr
    return str(node.arg.value) if isinstance(node.arg, nodes.Const) else None


def reads_all(templates: Iterable[object]) -> Reads:
    """What several values read together; values that are not text read nothing."""
    params: frozenset[str] | None = frozenset()
    others: frozenset[str] = frozenset()
    variables: frozenset[str] = frozenset()
    for value in templates:
        if isinstance(value, str):
            one = reads(value)
            params = None if params is None or one.params is None else params | one.params
            others |= one.others
            variables |= one.variables
    return Reads(params, others, variables)
