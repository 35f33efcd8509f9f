"""Secrets never stand in YAML: a setting names where its secret is kept.

``${NAME}`` reads the environment, ``file:path`` a file beside the configuration, and
``credential:name`` a systemd credential. The value shows itself only through ``reveal()``.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, InstanceOf, ValidationInfo


class Secret:
    """A value that must not be printed, logged or compared by accident."""

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__


def revealed(secret: Secret | None) -> str:
    """The value of a secret that need not be given; empty where it is not."""
    return secret.reveal() if secret is not None else ""


def is_reference(text: str) -> bool:
    """Say whether a setting names a secret instead of holding a value."""
    return re.match(r"\$\{\w+\}$|file:|credential:", text) is not None


def resolve(reference: str, folder: Path) -> Secret:
    """Fetch the secret that a setting refers to.

    Args:
        reference: ``${NAME}``, ``file:path`` or ``credential:name``.
        folder: where relative paths start, the folder of the configuration file.

    Raises:
        ValueError: one sentence saying what is missing; it never holds the secret.
    """
    if match := re.fullmatch(r"\$\{(\w+)\}", reference):
        value = os.environ.get(match[1])
        if not value:
            raise ValueError(f"the environment variable {match[1]} is not set.")
        return Secret(value)
    kind, _, rest = reference.partition(":")
    if kind == "file":
        return Secret(_read(folder / rest))
    if kind == "credential":
        return Secret(
            _read(Path(os.environ.get("CREDENTIALS_DIRECTORY", "/run/credentials")) / rest)
        )
    raise ValueError(
        "a secret must not stand here; write ${NAME} for an environment variable,"
        " file:path or credential:name."
    )


def _read(path: Path) -> str:
    try:
        value = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the secret's file {path} cannot be read.") from error
    if not value:
        raise ValueError(f"the secret's file {path} is empty.")
    return value


def _validate(value: Any, info: ValidationInfo) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str) or not value:
        raise ValueError("is empty; name where the secret is kept.")
    return resolve(value, (info.context or {}).get("folder", Path()))


#: A field of a settings model that holds a secret.
SecretField = Annotated[InstanceOf[Secret], BeforeValidator(_validate)]
