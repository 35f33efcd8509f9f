"""``smsengine run``."""

from __future__ import annotations

from pathlib import Path

import click

from smsengine.cli.options import Exit, finish
from smsengine.service.daemon import Daemon


@click.command()
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("config.yaml"),
    show_default=True,
    envvar="SMSENGINE_CONFIG",
    help="The configuration file.",
)
def run(config: Path) -> None:
    """The daemon: sends each notice at its time, and tells somebody what did not happen.

    SIGTERM lets what is under way land and ends; SIGHUP reads configuration and jobs anew.
    """
    finish(Exit.DONE if Daemon(config).run() else Exit.LOOK)
