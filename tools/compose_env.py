"""``python3 -m tools.compose_env > .env``: passwords and keys for ``docker-compose.yaml``, made at random.

Standard library only, so that it runs on a machine that has nothing but Docker and Python.
"""

from __future__ import annotations

import base64
import os
import secrets


def settings() -> dict[str, str]:
    """Every variable without which the compose file does not start."""
    return {
        "POSTGRES_PASSWORD": secrets.token_hex(16),
        "S3_PASSWORD": secrets.token_hex(16),
        "AIRFLOW_FERNET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        "AIRFLOW_SECRET_KEY": secrets.token_hex(32),
        "AIRFLOW_JWT_SECRET": secrets.token_hex(32),
        "MLPIPE_ADMIN_PASSWORD": secrets.token_hex(8),
    }


if __name__ == "__main__":
    for name, value in settings().items():
        print(f"{name}={value}")
