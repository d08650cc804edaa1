"""The text of a reduced module, and the digests of what is in it.

Each statement keeps its own lines, so that tracebacks show the right ones.  What is hashed is each statement without
its place: moved lines change nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from airflow_mlpipe.fingerprint.digest import digest_bytes
from airflow_mlpipe.fingerprint.statements import DEFINITIONS, Statement, bound, first_line, spelled, spelled_import


class Reduced:
    """A module while it is written.

    :ivar parts: digests by what they are of: ``train()`` is a function or class, ``RATE`` a value.
    """

    def __init__(self, text: str, tree: ast.Module) -> None:
        self._lines = text.split("\n")  # as Python's own parser counts them
        self._tree = tree
        self._out: dict[int, str] = {}
        self._statements: list[tuple[int, str, str]] = []
        self._imported: dict[int, list[ast.alias]] = {}
        self._prelude: list[str] = []
        self._aliases: list[str] = []
        self.parts: dict[str, str] = {}

    @property
    def annotations_are_text(self) -> bool:
        """Whether the file says ``from __future__ import annotations``."""
        future = self._future()
        return future is not None and any(alias.name == "annotations" for alias in future.names)

    def _future(self) -> ast.ImportFrom | None:
        return next((n for n in self._tree.body if isinstance(n, ast.ImportFrom) and n.module == "__future__"), None)

    def keep(self, statement: Statement, cut: Sequence[ast.expr], defaults: Sequence[tuple[ast.expr, str]]) -> None:
        """Write a statement.

        :param cut: its decorators that go. :param defaults: expressions of which each becomes a name.
        """
        node = statement.node
        first = first_line(node, cut)
        assert node.end_lineno is not None
        lines = self._lines[first - 1 : node.end_lineno]
        for default, name in sorted(defaults, key=lambda d: (d[0].lineno, d[0].col_offset), reverse=True):
            _replace(lines, first, default, name)
        for number, line in enumerate(lines, first):
            self._emit(number, line, statement)
        label = f"{node.name}()" if isinstance(node, DEFINITIONS) else ", ".join(sorted(bound(node)))
        self._statements.append((first, label or lines[0].strip()[:60], spelled(node, cut)))

    def keep_import(
        self, statement: Statement, node: ast.Import | ast.ImportFrom, aliases: Sequence[ast.alias]
    ) -> None:
        """Write some names of an import."""
        kept = self._imported.setdefault(id(node), [])
        kept += [alias for alias in aliases if alias not in kept]
        self._emit(node.lineno, " " * node.col_offset + spelled_import(node, kept), statement)
        for alias in aliases:
            self._count(spelled_import(node, [alias]))

    def import_first(self, line: str) -> None:
        """Write an import of a function around, at the top."""
        self._prelude.append(line)
        self._count(line)

    def alias(self, name: str, original: str) -> None:
        """Give something another name, at the end."""
        self._aliases.append(f"{name} = {original}")
        self._count(f"{name} = {original}")

    def _count(self, line: str) -> None:
        self.parts[line] = digest_bytes(line.encode())

    def _emit(self, number: int, line: str, statement: Statement) -> None:
        for container in statement.inside:
            self._out.setdefault(container.lineno, " " * container.col_offset + "if 1:")
        self._out[number] = line

    def finish(self) -> dict[str, str]:
        """Digests of all parts."""
        named: dict[str, list[str]] = {}
        for _, label, text in sorted(self._statements):
            named.setdefault(label, []).append(text)
        self.parts |= {label: digest_bytes("\0".join(each).encode()) for label, each in named.items()}
        # Functions and classes may stand in any order; what is computed while the module runs may not.
        order = [label for _, label, _ in sorted(self._statements) if not label.endswith("()")]
        if len(order) > 1:
            self.parts["order of statements"] = digest_bytes("\0".join(order).encode())
        return dict(sorted(self.parts.items()))

    def text(self) -> str:
        """The module."""
        future = self._future()
        prelude = list(dict.fromkeys(self._prelude))
        if future:
            prelude.insert(0, spelled_import(future, future.names))
        line = future.lineno if future else 1
        out = dict(self._out)
        shifted = ""
        if prelude and (line in out) and not future:
            shifted = "; ".join(prelude) + "\n"  # the first line is taken: one line off is better than none
        elif prelude:
            out[line] = "; ".join(prelude)
        lines = [out.get(number, "") for number in range(1, max(out, default=1) + 1)]
        return shifted + "\n".join([*lines, *self._aliases]) + "\n"


def _replace(lines: list[str], first: int, expression: ast.expr, name: str) -> None:
    """Write a name in place of an expression, which may have several lines; they stay, empty."""
    start, end = expression.lineno - first, (expression.end_lineno or expression.lineno) - first
    before = lines[start].encode()[: expression.col_offset]  # columns count bytes
    after = lines[end].encode()[expression.end_col_offset or 0 :]
    for index in range(start, end + 1):
        lines[index] = ""
    lines[end] = after.decode()
    lines[start] = before.decode() + name + lines[start]
