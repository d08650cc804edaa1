"""``make demo-docker``: the digits pipeline with its training steps in containers of a local Docker engine.

The image holds Python and the packages of the example, and nothing of this project.  Works on copies below ``.demo``.
"""

from __future__ import annotations

import compileall
import subprocess
import sys
from pathlib import Path
from py_compile import PycInvalidationMode

from airflow_mlpipe.errors import MLPipeError
from airflow_mlpipe.runtime.environments import find_uv
from tools import base_image, engine
from tools.airflow_embedded import EmbeddedError, remove
from tools.demo import DAG, KINDS, MODELS, ROOT, SMOOTHER, STEPS, Act, Checkout, Demo, DemoError

IMAGE = "mlpipe-demo/digits:1"
TRAINING = frozenset(f"{kind}.train" for kind in KINDS)
_OUTSIDE = 'requirements="digits/requirements.txt",'
_STEP = '                script_name="train.py",\n'


class ContainerCheckout(Checkout):
    """The example with two words changed for its training steps: where they run, and in which image."""

    def make(self) -> None:
        """Copy the example anew, and edit the copy."""
        super().make()
        path = self.dags / self.name / f"{DAG}.py"
        text = path.read_text()
        if text.count(_STEP) != 1 or _OUTSIDE not in text:
            raise DemoError(f"{path} is not what the demo edits")
        text = text.replace(
            _STEP, _STEP + '                compute_target="docker",\n                environment=IMAGE,\n'
        )
        inside = 'IMAGE = Environment(image="%s", variables={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})\n'
        path.write_text(text.replace("\n\n\n@dag(", "\n" + inside % IMAGE + "\n\n@dag(", 1))


class DockerDemo(Demo):
    """Three runs."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.checkout = ContainerCheckout(folder / "dags")

    def run(self) -> None:
        """Make the image, then run all acts.  :raises DemoError: without an engine, and when an act goes wrong."""
        if (why := engine.start()) is not None:
            raise DemoError(why)
        self._make_image()
        super().run()

    def _make_image(self) -> None:
        import docker

        site = self.folder / "image"
        with self.console.status(f"making the image {IMAGE}"):
            remove(site)
            requirements = ROOT / "dags_examples" / DAG / "requirements.txt"
            install = [find_uv(None, where="demo"), "pip", "install", "--quiet", "--python", sys.executable]
            subprocess.run([*install, "--target", site, "-r", requirements], check=True)
            compileall.compile_dir(site, quiet=2, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
            base_image.load(docker.from_env(timeout=600), IMAGE, site=site)
        self.console.print(f"The image {IMAGE} is made of {requirements.relative_to(ROOT)}")

    def _acts(self) -> tuple[Act, ...]:
        return (
            Act(
                title="everything executes; the three trainings in containers",
                executes=STEPS,
                reason=dict.fromkeys(TRAINING, "NEW"),
            ),
            Act(title="again, nothing changed: nothing executes, no container is started", executes=frozenset()),
            Act(
                title="regularization 1.0 -> 0.05: the trainings execute in containers, and what depends on them",
                executes=MODELS | {"choose", "report"},
                params=SMOOTHER,
            ),
        )


def main() -> int:
    """Run the demo.  Returns the exit code."""
    demo = DockerDemo(ROOT / ".demo")
    try:
        demo.run()
    except (DemoError, EmbeddedError, MLPipeError, TimeoutError) as error:
        print(f"\nThe demo FAILED: {error}\nAirflow's own log: {demo.airflow.log}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
