"""Who asks: a bearer token, a user name with a password, or nobody.

Secrets are read from values, files or environment variables, never from a command line, and appear in no message.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from airflow_mlpipe.experiment.errors import UsageError

ENV_URL = "MLPIPE_API_URL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What to log in with.

    :param token: a bearer token. :param token_file: a file that holds one; read again when the API refuses the old one.
    :param username: to be exchanged, with a password, for a token at ``/auth/token``.
    :param password: the password. :param password_file: a file that holds it.
    :raises UsageError: for two ways at once, or a user name without a password.
    """

    token: str | None = field(default=None, repr=False)
    token_file: str | Path | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    password_file: str | Path | None = None

    def __post_init__(self) -> None:
        if sum(v is not None for v in (self.token, self.token_file, self.username)) > 1:
            raise UsageError("several credentials are given", where="credentials", fix="give a token, or a user name")
        if self.password is not None and self.password_file is not None:
            raise UsageError("two passwords are given", where="credentials", fix="give a password or a file, not both")
        has_password = self.password is not None or self.password_file is not None
        if (self.username is not None) != has_password:
            raise UsageError(
                "a user name needs a password, and a password a user name",
                where="credentials",
                fix="give --username and --password-file, or set MLPIPE_API_USERNAME and MLPIPE_API_PASSWORD",
            )

    @classmethod
    def resolve(
        cls,
        environ: Mapping[str, str],
        *,
        username: str | None = None,
        password_file: str | None = None,
        token_file: str | None = None,
    ) -> Credentials:
        """What a command line says, completed from ``MLPIPE_API_TOKEN``, ``_TOKEN_FILE``, ``_USERNAME``, ``_PASSWORD``
        and ``_PASSWORD_FILE`` of the environment; a command line that names a user or a token leaves the others alone.

        :raises UsageError: for two ways at once, or a user name without a password.
        """

        def value(name: str) -> str | None:
            return environ.get(f"MLPIPE_API_{name}") or None

        if token_file:
            return cls(token_file=token_file, username=username, password_file=password_file)
        password = None if password_file else value("PASSWORD")
        password_file = password_file or value("PASSWORD_FILE")
        if username or password_file or password:
            return cls(username=username or value("USERNAME"), password=password, password_file=password_file)
        return cls(token=value("TOKEN"), token_file=value("TOKEN_FILE"), username=value("USERNAME"))

    @property
    def renewable(self) -> bool:
        """Whether asking again can give another token than before."""
        return self.token is None

    def read_token(self) -> str | None:
        """The token that was given, if one was.  :raises UsageError: when its file cannot be read."""
        if self.token is not None:
            return self.token
        return None if self.token_file is None else _read(self.token_file, "token file")

    def login(self) -> dict[str, str] | None:
        """The body for ``POST /auth/token``, or ``None`` without a user name.

        :raises UsageError: when the password file cannot be read.
        """
        if self.username is None:
            return None
        if self.password_file is not None:
            return {"username": self.username, "password": _read(self.password_file, "password file")}
        return {"username": self.username, "password": self.password or ""}


def _read(path: str | Path, what: str) -> str:
    try:
        text = Path(path).expanduser().read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UsageError(f"the {what} cannot be read ({reason})", where="credentials", given=str(path)) from error
    if not text:
        raise UsageError(f"the {what} is empty", where="credentials", given=str(path))
    return text
