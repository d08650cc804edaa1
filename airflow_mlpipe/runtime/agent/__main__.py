"""The process: what SIGTERM means is said before anything else is imported."""

from __future__ import annotations

from airflow_mlpipe.runtime.agent.signals import Termination

termination = Termination()
termination.install()

if __name__ == "__main__":
    import sys

    from airflow_mlpipe.runtime.agent.main import main

    sys.exit(main(sys.argv[1:], termination))
