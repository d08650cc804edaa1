"""Where each answer is kept: pure functions from ids to keys of the workspace.

One page says what a workspace looks like.  Two different ids never share a key and no id can leave the folder of its
kind, whatever characters Airflow lets through.

====================================================  ==============================================================
``mlpipe.json``                                        format of the workspace
``records/<aa>/<fp>.json``                             reuse record: it exists exactly when its outputs are complete
``keys/<aa>/<fp>.json``                                readable parts of a fingerprint
``leases/<aa>/<fp>/<n>``, ``<n>.beat``                 who executes it just now; the heartbeat
``attempts/<fp>/<attempt>/...``                        what an attempt leaves before it is published
``candidates/<attempt>.json``, ``...error.json``       what an attempt elsewhere published, or why it did not
``runs/<dag>/<run>/<task>/<map>.json``                 what each task instance did, and why
``last/<dag>/<task>/<map>.json``                       the latest of those that had a result
``usage/<aa>/<fp>``                                    its modification time is when a result was last used
``pins/<aa>/<fp>.json``                                results to keep: who, why
``values/<dag>/<run>/<task>/<map>/<key>.json``         what the XCom of a task that is no step refers to
``modules/<name>/versions/<version>.json``             a published module; beside it, what is said of it:
``modules/<name>/deprecated|yanked/<version>.json``    why, by whom
``modules/<name>/default.json``                        the version that the name alone stands for
``watches/<64 hex>.json``                              what watched data were when a change was last told
``quarantine/<key>``                                   documents that could not be read
====================================================  ==============================================================

``<fp>`` is ``mlp1-<64 hex>`` (a colon is no good in a file name on every system) and ``<aa>`` the first two hex digits.
"""

from __future__ import annotations

import hashlib
import re
from urllib.parse import quote

from airflow_mlpipe.errors import PathError

FORMAT = "mlpipe.json"
SALT = "salt"
RECORDS = "records"
KEYS = "keys"
LEASES = "leases"
ATTEMPTS = "attempts"
RUNS = "runs"
LAST = "last"
USAGE = "usage"
PINS = "pins"
VALUES = "values"
QUARANTINE = "quarantine"
CANDIDATES = "candidates"
MODULES = "modules"
WATCHES = "watches"

_FINGERPRINT = re.compile(r"([a-z][a-z0-9]*):([0-9a-f]{64})\Z")
_STEM = re.compile(r"([a-z][a-z0-9]*)-([0-9a-f]{64})\Z")
# Common file systems end a name at 255 bytes, and writers append suffixes.
_LONGEST = 200


def quote_id(value: str) -> str:
    """One key part that stands for exactly this id: letters, digits, ``_``, ``-`` and inner dots stay readable.

    The rest is percent-encoded UTF-8.  An id too long for a file name keeps its start and gets the digest of the whole
    behind a ``~``, which never occurs otherwise.
    """
    quoted = quote(value, safe="", errors="surrogatepass").replace("~", "%7E")
    if quoted.startswith("."):
        quoted = f"%2E{quoted[1:]}"
    if not quoted:
        return "%"  # no encoded text is a lone percent sign
    if len(quoted) <= _LONGEST:
        return quoted
    digest = hashlib.sha256(value.encode("utf-8", errors="surrogatepass")).hexdigest()
    return f"{quoted[:100]}~{digest}"


def is_fingerprint(value: str) -> bool:
    """Whether a text is a fingerprint, and not the name of an uncacheable attempt."""
    return _FINGERPRINT.match(value) is not None


def fingerprint_stem(fingerprint: str) -> str:
    """``<aa>/<fp>``: where everything about a fingerprint is kept below the folder of its kind.

    :raises PathError: when it is no fingerprint.
    """
    match = _FINGERPRINT.match(fingerprint)
    if match is None:
        raise PathError("not a fingerprint", where="workspace", given=fingerprint, valid="like mlp1:<64 hex digits>")
    return f"{match[2][:2]}/{match[1]}-{match[2]}"


def stem_fingerprint(name: str) -> str | None:
    """The fingerprint in a key part, ``mlp1-<64 hex>``; ``None`` when it is something else."""
    match = _STEM.match(name)
    return f"{match[1]}:{match[2]}" if match else None


def record_key(fingerprint: str) -> str:
    """Key of a reuse record.  :raises PathError: see :func:`fingerprint_stem`."""
    return f"{RECORDS}/{fingerprint_stem(fingerprint)}.json"


def document_key(fingerprint: str) -> str:
    """Key of the readable parts of a fingerprint.  :raises PathError: see :func:`fingerprint_stem`."""
    return f"{KEYS}/{fingerprint_stem(fingerprint)}.json"


def lease_folder(fingerprint: str) -> str:
    """Prefix of all leases of a fingerprint.  :raises PathError: see :func:`fingerprint_stem`."""
    return f"{LEASES}/{fingerprint_stem(fingerprint)}"


def usage_key(fingerprint: str) -> str:
    """Key of the object that is touched when a result is used.  :raises PathError: see :func:`fingerprint_stem`."""
    return f"{USAGE}/{fingerprint_stem(fingerprint)}"


def pin_key(fingerprint: str) -> str:
    """Key of a pin.  :raises PathError: see :func:`fingerprint_stem`."""
    return f"{PINS}/{fingerprint_stem(fingerprint)}.json"


def attempt_prefix(fingerprint: str, attempt: str) -> str:
    """Prefix of what one attempt leaves.  An uncacheable step's unique name will do for the fingerprint."""
    part = fingerprint_stem(fingerprint).split("/")[1] if is_fingerprint(fingerprint) else quote_id(fingerprint)
    return f"{ATTEMPTS}/{part}/{quote_id(attempt)}"


def order_key(fingerprint: str, attempt: str) -> str:
    """Key of what an attempt on another machine is to do."""
    return f"{attempt_prefix(fingerprint, attempt)}/job.json"


def checkpoints_key(fingerprint: str) -> str:
    """Key of what the attempts at a fingerprint on other machines leave for the next one."""
    return f"{attempt_prefix(fingerprint, 'checkpoints')}/tree.json"


def candidate_key(attempt: str) -> str:
    """Key of what an attempt on another machine published."""
    return f"{CANDIDATES}/{quote_id(attempt)}.json"


def failure_key(candidate: str) -> str:
    """Key of the error that stands beside the place of a candidate."""
    return f"{candidate.removesuffix('.json')}.error.json"


def run_key(dag_id: str, run_id: str, task_id: str, map_index: int) -> str:
    """Key of what a task instance did."""
    return f"{RUNS}/{quote_id(dag_id)}/{quote_id(run_id)}/{quote_id(task_id)}/{map_index}.json"


def last_key(dag_id: str, task_id: str, map_index: int) -> str:
    """Key of the latest run of a task that had a result."""
    return f"{LAST}/{quote_id(dag_id)}/{quote_id(task_id)}/{map_index}.json"


def value_key(dag_id: str, run_id: str, task_id: str, map_index: int, key: str) -> str:
    """Key of what an XCom of a task that is no step refers to."""
    return f"{VALUES}/{quote_id(dag_id)}/{quote_id(run_id)}/{quote_id(task_id)}/{map_index}/{quote_id(key)}.json"


def module_prefix(name: str) -> str:
    """Prefix of everything about a module."""
    return f"{MODULES}/{quote_id(name)}"


def module_key(name: str, part: str, version: str) -> str:
    """Key of a document about one version of a module.  :param part: ``versions``, ``deprecated`` or ``yanked``."""
    return f"{module_prefix(name)}/{part}/{quote_id(version)}.json"


def module_default_key(name: str) -> str:
    """Key of which version of a module its name alone stands for."""
    return f"{module_prefix(name)}/default.json"


def watch_key(digest: str) -> str:
    """Key of what is remembered of data that are watched."""
    return f"{WATCHES}/{digest}.json"


def runs_prefix(dag_id: str | None, run_id: str | None, task_id: str | None) -> str:
    """The narrowest folder that holds every run with these ids."""
    parts = [RUNS]
    for value in (dag_id, run_id, task_id):
        if value is None:
            break
        parts.append(quote_id(value))
    return "/".join(parts)
