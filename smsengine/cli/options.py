"""What every command takes, and how what goes wrong is said."""

from __future__ import annotations

import functools
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from typing import Any

import click

from smsengine.period import Period
from smsengine.service.bootstrap import Engine


class Exit(IntEnum):
    """Exit codes."""

    DONE = 0
    LOOK = 1
    WRONG = 2
    REFUSED = 3


class PeriodType(click.ParamType[Period]):
    """``2019-05`` or ``2023-08-03``."""

    name = "PERIOD"

    def convert(
        self, value: Any, _param: click.Parameter | None, _ctx: click.Context | None
    ) -> Period:
        return value if isinstance(value, Period) else Period.parse(value)


def with_engine(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--config`` and pass it the engine as ``engine``."""

    @click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        default=Path("config.yaml"),
        show_default=True,
        envvar="SMSENGINE_CONFIG",
        help="The configuration file.",
    )
    @functools.wraps(command)
    def wrapped(config: Path, **values: Any) -> Any:
        return command(engine=Engine(config), **values)

    return wrapped


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
a_period = click.option(
    "--period", type=PeriodType(), help="The month or day it is about; default: the one due today."
)
a_reason = click.option("--reason", default="", help="Why; kept in the ledger.")
yes = click.option("--yes", is_flag=True, help="Do not ask.")


def finish(code: Exit) -> None:
    """End a command with an exit code."""
    click.get_current_context().exit(code)
