"""``airflow mlpipe module ...``: what people do with modules, in words."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.cli.command import command, say, write_json
from airflow_mlpipe.cli.tables import moment, print_lines, print_table
from airflow_mlpipe.cli.workspace import open_stores

if TYPE_CHECKING:
    from airflow_mlpipe.modules.api import ModuleInfo


@command
def publish(args: Namespace) -> None:
    """Run ``publish``."""
    from airflow_mlpipe.modules import publish

    done = publish(args.folder, library=args.library, author=args.author, dry_run=args.dry_run, stores=open_stores())
    module = done.module
    if args.output == "json":
        write_json("module-published", module.to_json() | {"is_new": done.is_new, "dry_run": args.dry_run})
        return
    word = "would be published" if args.dry_run else "published"
    print_lines(f"{word if done.is_new else 'published already:'} {module.definition.label}  {module.digest}")
    if module.revision is not None and module.revision.dirty and done.is_new:
        say("warning: its folder has changes that are in no revision of git")


@command
def ls(args: Namespace) -> None:
    """Run ``ls``."""
    from airflow_mlpipe.modules import ls

    found = list(ls(library=args.library, folders=args.folder, stores=open_stores()))
    if args.output == "json":
        write_json("modules", {"modules": [document(info) for info in found]})
        return
    columns = ("NAME", "VERSION", "SOURCE", "OWNER", "OTHER VERSIONS", "DESCRIPTION")
    print_table(columns, [_row(info) for info in found])


def _row(info: ModuleInfo) -> tuple[str, ...]:
    from airflow_mlpipe.modules.requests import same_version

    definition = info.definition
    mark = " (yanked)" if info.yanked else " (deprecated)" if info.deprecated else ""
    others = ", ".join(version for version in info.versions if not same_version(version, definition.version))
    about = definition.description.splitlines()[0] if definition.description else ""
    return definition.name, f"{definition.version}{mark}", info.source, definition.owner, others, about


@command
def show(args: Namespace) -> None:
    """Run ``show``."""
    from airflow_mlpipe.modules import show

    _print_module(show(args.module, stores=open_stores()), args.output)


def _print_module(info: ModuleInfo, output: str) -> None:
    from airflow_mlpipe.cli.module_page import page

    if output == "json":
        write_json("module", document(info))
    else:
        page(info)


@command
def diff(args: Namespace) -> None:
    """Run ``diff``."""
    from airflow_mlpipe.cli.module_page import changed_lines
    from airflow_mlpipe.modules import diff

    found = diff(args.old, args.new, stores=open_stores())
    if args.output == "json":
        differences = [{"subject": d.subject, "old": d.old, "new": d.new} for d in (*found.definition, *found.files)]
        write_json(
            "module-diff",
            {
                "old": document(found.old),
                "new": document(found.new),
                "differences": differences,
                "breaking": list(found.breaking),
                "same_step": found.same_step,
            },
        )
        return
    print_lines(*map(str, found.definition), *(f"{one}" for one in found.files))
    if args.lines:
        print_lines(*changed_lines(found))
    print_lines(
        "" if found.definition or found.files else "no difference", *(f"breaks DAGs: {b}" for b in found.breaking)
    )
    if found.same_step:
        print_lines("the same step: each reuses the results of the other")
    else:
        print_lines(
            "not the same step: a step of one reuses a result of the other only if nothing that differs counts for it"
        )


@command
def deprecate(args: Namespace) -> None:
    """Run ``deprecate``."""
    from airflow_mlpipe.modules import deprecate

    info = deprecate(args.module, args.why, undo=args.undo, stores=open_stores())
    _say_marked(info, args, "not deprecated any more" if args.undo else "deprecated")


@command
def yank(args: Namespace) -> None:
    """Run ``yank``."""
    from airflow_mlpipe.modules import yank

    info = yank(args.module, args.why, undo=args.undo, stores=open_stores())
    _say_marked(info, args, "not yanked any more" if args.undo else "yanked")


@command
def default(args: Namespace) -> None:
    """Run ``default``."""
    from airflow_mlpipe.modules import set_default

    info = set_default(args.module, clear=args.clear, stores=open_stores())
    _say_marked(info, args, f"{info.definition.name} alone stands for it")


def _say_marked(info: ModuleInfo, args: Namespace, what: str) -> None:
    if args.output == "json":
        write_json("module", document(info))
    else:
        print_lines(f"{info.definition.label} of {info.source}: {what}")


@command
def lock(args: Namespace) -> int:
    """Run ``lock``."""
    from airflow_mlpipe.cli.dags import load_dag
    from airflow_mlpipe.modules import lock, unlocked

    stores = open_stores()
    with unlocked():
        dags = [load_dag(dag_id) for dag_id in args.dag_ids]
    done = lock(*dags, stores=stores, write=not args.check)
    moved = [(file, move) for file, moves in done for move in moves]
    if args.output == "json":
        rows = [{"file": str(f.path), "request": m.request, "old": m.old, "new": m.new} for f, m in moved]
        write_json("module-lock", {"check": args.check, "files": [str(f.path) for f, _ in done], "moved": rows})
    else:
        print_lines(*(f"{file.path.name}: {move}" for file, move in moved))
        if not moved:
            print_lines("nothing moved")
    return 1 if args.check and moved else 0


@command
def init(args: Namespace) -> None:
    """Run ``init``."""
    from airflow_mlpipe.modules import init

    written = init(args.folder, name=args.name)
    if args.output == "json":
        write_json("module-init", {"folder": str(args.folder), "files": [str(path) for path in written]})
    else:
        print_lines(*map(str, written))


@command
def test(args: Namespace) -> int:
    """Run ``test``."""
    from airflow_mlpipe.modules import test

    def tell(line: str) -> None:
        say(f"  {line}")

    results = test(args.folder, cases=args.case, compute=args.compute, keep=args.keep, stores=open_stores(), say=tell)
    if args.output == "json":
        rows = [
            {"case": r.case, "passed": r.passed, "problems": list(r.problems), "seconds": r.seconds} for r in results
        ]
        write_json("module-test", {"passed": all(r.passed for r in results), "cases": rows})
    else:
        rows_ = [(r.case, "passed" if r.passed else "FAILED", f"{r.seconds:.1f} s") for r in results]
        print_table(("CASE", "RESULT", "TIME"), rows_)
        print_lines(*(f"{r.case}: {problem}" for r in results for problem in r.problems))
    return 0 if all(r.passed for r in results) else 1


def document(info: ModuleInfo) -> dict[str, Any]:
    """A module in ``--output json``."""
    return {
        "definition": info.definition.to_json(),
        "source": info.source,
        "place": info.place,
        "code": info.code,
        "digest": info.digest,
        "author": info.author or None,
        "published": moment(info.published) or None,
        "revision": str(info.revision) if info.revision else None,
        "deprecated": str(info.deprecated) if info.deprecated else None,
        "yanked": str(info.yanked) if info.yanked else None,
        "is_default": info.is_default,
        "versions": list(info.versions),
    }
