"""A command of v2, which is a text for a shell, as a program and its arguments.

Most commands are words with inputs and outputs between them: those become a list that no shell reads, and of ``python
script.py ...`` a script.  One that needs a shell - ``&&``, pipes, variables, globs - is given to bash as it stands, and
what it names is handed over beside it, as ``"$1"``, ``"$2"`` ... in quotes that fit where it stands: no value becomes
syntax, whatever is in it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from airflow_mlpipe.azureml.v2.values import Plain, verbatim
from airflow_mlpipe.model.step import InputPath, OutputPath

Named = Plain | InputPath | OutputPath
_MARK = 0xF0000  # of a private use plane: no text holds it
_SYNTAX = frozenset(";&|<>$`(){}*?[]\n\\")
_AT_START = frozenset("#~!")
_BUILT_IN = frozenset({"cd", "export", "source", ".", "set", "unset", "if", "for", "while", "exec", "eval", "ulimit"})
_PYTHONS = frozenset({"python", "python3"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What runs.

    :param script: of a Python script, which then is no argument. :param arguments: of a command, the program included.
    :param by_shell: whether bash reads it.
    """

    script: str | None = None
    arguments: tuple[str | InputPath | OutputPath, ...] = ()
    by_shell: bool = False


def program_of(parts: Sequence[str | Named]) -> Program:
    """A command's parts as a program.  :raises ValueError: for quotes that do not close."""
    words = _words(parts)
    if words is None:
        script, values = shell_script(parts)
        given = [v if isinstance(v, (InputPath, OutputPath)) else v.template for v in values]
        return Program(arguments=("bash", "-c", verbatim(script), "bash", *given), by_shell=True)
    if len(words) > 1 and words[0] in _PYTHONS and isinstance(words[1], str) and _is_script(words[1]):
        return Program(script=words[1].removeprefix("./"), arguments=tuple(words[2:]))
    return Program(arguments=tuple(words))


def _is_script(word: str) -> bool:
    return word.endswith(".py") and not word.startswith("/") and ".." not in word.split("/") and "{" not in word


def _words(parts: Sequence[str | Named]) -> list[str | InputPath | OutputPath] | None:
    """The words, if no shell is needed to find them."""
    named = [part for part in parts if not isinstance(part, str)]
    number = iter(range(len(named)))
    text = "".join(part if isinstance(part, str) else chr(_MARK + next(number)) for part in parts)
    text = re.sub(r"\\\r?\n", " ", text).strip()
    if _needs_shell(text):
        return None
    words: list[str | InputPath | OutputPath] = []
    for word in shlex.split(text):
        found = _word(word, named)
        if found is None:
            return None
        words.append(found)
    return words


def _word(word: str, named: Sequence[Named]) -> str | InputPath | OutputPath | None:
    """A word with what it names; ``None`` for a path within other text, which only a shell can put together."""
    pieces: list[str] = []
    plain = ""
    for letter in word:
        if ord(letter) < _MARK:
            plain += letter
            continue
        value = named[ord(letter) - _MARK]
        if isinstance(value, (InputPath, OutputPath)):
            return value if len(word) == 1 else None
        pieces += [verbatim(plain), value.template]
        plain = ""
    return "".join([*pieces, verbatim(plain)])


def _needs_shell(text: str) -> bool:
    first = text.split(maxsplit=1)[0] if text else ""
    if not text or first in _BUILT_IN or re.match(r"\w+=", first):
        return True
    quote, before = "", " "
    for letter in text:
        if quote:
            if letter == quote:
                quote = ""
            elif quote == '"' and letter in "$`\\":
                return True
        elif letter in "'\"":
            quote = letter
        elif letter in _SYNTAX or (before.isspace() and letter in _AT_START):
            return True
        before = letter
    if quote:
        raise ValueError("a quote is not closed")
    return False


def shell_script(parts: Sequence[str | Named]) -> tuple[str, list[Named]]:
    """A text for bash, and the values of ``$1``, ``$2`` ... in it."""
    scanner, values, script = _Quotes(), list[Named](), ""
    for part in parts:
        if isinstance(part, str):
            scanner.read(part)
            script += part
            continue
        if part not in values:
            values.append(part)
        script += scanner.wrap(f"${{{values.index(part) + 1}}}")
    return script.strip(), values


class _Quotes:
    """Where in a script for bash one is: outside of quotes, in single or in double ones, in ``$(...)``."""

    def __init__(self) -> None:
        self._inside: list[str] = []

    def wrap(self, variable: str) -> str:
        """A variable here, so that its value is one word, or a part of one, whatever is in it."""
        mode = self._inside[-1] if self._inside else ""
        if mode == "'":
            return f"'\"{variable}\"'"
        return variable if mode == '"' else f'"{variable}"'

    def read(self, text: str) -> None:
        """Go on."""
        index = 0
        while index < len(text):
            index += self._step(text, index)

    def _step(self, text: str, index: int) -> int:
        mode, letter = self._inside[-1] if self._inside else "", text[index]
        if mode == "#":
            if letter == "\n":
                self._inside.pop()
            return 1
        if mode == "'":
            if letter == "'":
                self._inside.pop()
            return 1
        if letter == "\\":
            return 2
        if letter == mode and letter in '"`':
            self._inside.pop()
        elif letter in '"`':
            self._inside.append(letter)
        elif text.startswith("$(", index):
            self._inside.append(")")
            return 2
        elif mode != '"':
            self._plain(text, index)
        return 1

    def _plain(self, text: str, index: int) -> None:
        letter = text[index]
        if letter == "'":
            self._inside.append("'")
        elif letter == "(":
            self._inside.append(")")
        elif letter == ")" and self._inside and self._inside[-1] == ")":
            self._inside.pop()
        elif letter == "#" and (index == 0 or text[index - 1].isspace()):
            self._inside.append("#")
