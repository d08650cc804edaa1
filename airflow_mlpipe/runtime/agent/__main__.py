"""The process: what SIGTERM means is said before anything else is imported.

The work is done in a thread, because Python runs a signal's handler in the main thread and between two of its own
instructions: a client in Rust or C that waits for a silent server there would keep SIGTERM waiting, too.
"""

from __future__ import annotations

from airflow_mlpipe.runtime.agent.signals import Termination


def run() -> int:
    """The exit code."""
    import sys
    from threading import Thread

    codes = []

    def work() -> None:
        from airflow_mlpipe.runtime.agent.main import main

        try:
            codes.append(main(sys.argv[1:], termination))
        except SystemExit as end:  # of the command line's reader
            codes.append(int(end.code or 0))

    thread = Thread(target=work, name="mlpipe-agent", daemon=True)
    thread.start()
    while thread.is_alive():
        # Not for good: a signal that comes just before the wait begins does not end it, and its handler would not run.
        thread.join(0.2)
    return codes[0] if codes else 1


if __name__ == "__main__":
    termination = Termination()
    termination.install()
    raise SystemExit(run())
