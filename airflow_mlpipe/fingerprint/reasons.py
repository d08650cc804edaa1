"""Why a step executes: the difference of two key documents, one :class:`Reason` each.

Two documents with different fingerprints always have at least one difference here.
"""

from __future__ import annotations

import difflib
import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any

from airflow_mlpipe.fingerprint.canonical import dump
from airflow_mlpipe.fingerprint.identity import ContentIdentity, short
from airflow_mlpipe.fingerprint.key import KeyDocument, params_of_template
from airflow_mlpipe.model.records import Reason

LONGEST = 80
NOTHING = "(none)"
_NAMED = 3


def explain(old: KeyDocument | None, new: KeyDocument) -> tuple[Reason, ...]:
    """What differs, most telling first; empty when the fingerprints are equal.

    :param old: of the last execution; ``None``: there was none, which is the reason NEW.
    """
    if old is None:
        return (Reason(code="NEW"),)
    if old.fingerprint == new.fingerprint:
        return ()
    return tuple(
        itertools.chain(
            _values("STEP", {"kind": old.step}, {"kind": new.step}),
            _code(old.code, new.code),
            _values("PARAM", old.params, new.params),
            _inputs(old.inputs, new.inputs),
            _environment(old.environment, new.environment),
            _command(old, new),
            _values("OUTPUTS", old.outputs, new.outputs),
            _secrets(old.secrets, new.secrets),
            _values("VERSION", {"": old.version}, {"": new.version}),
            _values("SALT", {"": old.salt}, {"": new.salt}),
        )
    )


def readable(value: object) -> str:
    """A canonical value on one short line; text keeps its quotes, so that 1 and "1" look different."""
    return _window(_line(value), 0)


def contrast(old: object, new: object) -> tuple[str, str]:
    """Two values as :func:`readable` shows them; of long ones, the part where they begin to differ."""
    before, after = _line(old), _line(new)
    if max(len(before), len(after)) <= LONGEST:
        return before, after
    same = next(
        (i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after))
    )
    start = max(0, same - LONGEST // 4)
    return _window(before, start), _window(after, start)


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _window(text: str, start: int) -> str:
    """As much of a text as fits, from ``start`` on."""
    head = "... " if start else ""
    rest = text[start:]
    room = LONGEST - len(head)
    return head + (rest if len(rest) <= room else f"{rest[: room - 4]} ...")


def _differ(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Names whose values differ as canonical values do: 1 and True are equal only in Python."""
    both = {**old, **new}
    return sorted(n for n in both if n not in old or n not in new or dump(old[n]) != dump(new[n]))


def _values(code: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Reason]:
    for name in _differ(old, new):
        if name in old and name in new:
            before, after = contrast(old[name], new[name])
        else:
            before = readable(old[name]) if name in old else NOTHING
            after = readable(new[name]) if name in new else NOTHING
        yield Reason(code=code, subject=name, old=before, new=after)


def _code(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Reason]:
    before, after = old.get("files") or {}, new.get("files") or {}
    for path in _differ(before, after):
        what = "changed" if path in before and path in after else "added" if path in after else "removed"
        yield Reason(code="CODE", subject=path, new=what)
    yield from _values("CODE", {**old, "files": None}, {**new, "files": None})


def _inputs(old: Mapping[str, ContentIdentity], new: Mapping[str, ContentIdentity]) -> Iterator[Reason]:
    for name in sorted({*old, *new}):
        before, after = old.get(name), new.get(name)
        if before is None or after is None:
            yield Reason(code="INPUT", subject=name, new="added" if before is None else "removed")
        elif before.deciding != after.deciding:
            yield _input(name, before, after)


def _input(name: str, before: ContentIdentity, after: ContentIdentity) -> Reason:
    if (before.kind, before.rung) != (after.kind, after.rung):
        old, new = f"{before.kind} by {before.rung}", f"{after.kind} by {after.rung}"
        return Reason(code="INPUT", subject=name, old=old, new=new)
    if before.members is not None and after.members is not None and before.members != after.members:
        return Reason(code="INPUT", subject=name, new=_members(before.members, after.members))
    if before.digest == after.digest:
        return Reason(code="INPUT", subject=name, old=_file(before), new=_file(after))
    return Reason(code="INPUT", subject=name, old=_sized(before), new=_sized(after))


def _members(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    added = sorted(after.keys() - before.keys())
    removed = sorted(before.keys() - after.keys())
    changed = sorted(n for n in after.keys() & before.keys() if after[n] != before[n])
    counts = [f"{sign}{len(names)}" for sign, names in (("+", added), ("-", removed), ("~", changed)) if names]
    names = [*changed, *added, *removed]
    shown = ", ".join(n if len(n) <= LONGEST // 2 else f"...{n[-LONGEST // 2 :]}" for n in names[:_NAMED])
    return f"{' '.join(counts)} ({shown}{', ...' if len(names) > _NAMED else ''})"


def _file(identity: ContentIdentity) -> str:
    return identity.filename + (" (executable)" if identity.executable else "")


def _sized(identity: ContentIdentity) -> str:
    if identity.rung == "declared":
        return identity.digest
    files = "" if identity.kind == "file" else f"{identity.files} files, "
    return f"{short(identity.digest)} ({files}{identity.size} bytes)"


def _environment(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Reason]:
    """Nested by one level: ``ENV packages.numpy "1.0" -> "1.1"``."""
    for name in _differ(old, new):
        before, after = old.get(name), new.get(name)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            for reason in _values("ENV", before, after):
                kind = {"packages": "package", "variables": "variable"}.get(name, name)
                yield Reason(code="ENV", subject=f"{kind} {reason.subject}", old=reason.old, new=reason.new)
        else:
            yield from _values(
                "ENV", {n: old[n] for n in (name,) if n in old}, {n: new[n] for n in (name,) if n in new}
            )


def _command(old: KeyDocument, new: KeyDocument) -> Iterator[Reason]:
    before, after = [dump(a) for a in old.command], [dump(a) for a in new.command]
    if before == after:
        return
    moved = {name.removeprefix("params.") for name in _differ(old.params, new.params)}
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for what, i, to_i, j, to_j in matcher.get_opcodes():
        if what == "equal":
            continue
        for a, b in itertools.zip_longest(range(i, to_i), range(j, to_j)):
            if a is not None and b is not None and _explained(old, new, a, b, moved):
                continue
            was, now = _both(None if a is None else old.command[a], None if b is None else new.command[b])
            yield Reason(code="COMMAND", subject=_place(old, new, a, b), old=was, new=now)


def _place(old: KeyDocument, new: KeyDocument, a: int | None, b: int | None) -> str:
    argument = new.command[b] if b is not None else old.command[a or 0]
    return str(argument.get("field") or f"[{b if b is not None else a}]")


def _explained(old: KeyDocument, new: KeyDocument, a: int, b: int, moved: set[str]) -> bool:
    """Whether a PARAM reason says it already: the same template, of nothing but parameters, one of which moved."""
    template = new.shown.get(str(b))
    return template is not None and template == old.shown.get(str(a)) and bool(params_of_template(template) & moved)


def _both(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> tuple[str, str]:
    if old is None or new is None or _named(old) or _named(new):
        return _argument(old), _argument(new)
    return contrast(_value(old), _value(new))


def _argument(argument: Mapping[str, Any] | None) -> str:
    return NOTHING if argument is None else _named(argument) or readable(_value(argument))


def _named(argument: Mapping[str, Any]) -> str:
    """An argument that has no value here; empty for any other."""
    return next((f"<{kind} {argument[kind]}>" for kind in ("input", "output", "template") if kind in argument), "")


def _value(argument: Mapping[str, Any]) -> Any:
    return argument.get("text", argument.get("value"))


def _secrets(old: tuple[str, ...], new: tuple[str, ...]) -> Iterator[Reason]:
    pairs = [dict(s.partition("=")[::2] for s in secrets) for secrets in (old, new)]
    yield from _values("SECRET", *pairs)
