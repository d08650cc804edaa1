"""Run every benchmark: ``python -m benchmarks [--quick]``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

for script in sorted(Path(__file__).parent.glob("bench_*.py")):
    print(f"\n== {script.stem}", flush=True)
    subprocess.run([sys.executable, "-W", "ignore", str(script), *sys.argv[1:]], check=True)
