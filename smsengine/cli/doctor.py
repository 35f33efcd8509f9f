"""``smsengine doctor``."""

from __future__ import annotations

import click

from smsengine.cli.options import Exit, as_json, finish, with_engine
from smsengine.cli.output import say, say_json
from smsengine.service.bootstrap import Engine
from smsengine.service.health import examine


@click.command()
@as_json
@with_engine
def doctor(engine: Engine, *, as_json: bool) -> None:
    """Say what would fail tonight: configuration, ledger, disk, gateways, jobs."""
    ill = 0
    for finding in examine(engine):
        ill += not finding.good
        if as_json:
            say_json({"what": finding.what, "good": finding.good, "said": finding.said})
        else:
            mark, style = ("ok  ", "green") if finding.good else ("FAIL", "bold red")
            say(f"{mark} {finding.what}: {finding.said}", style=style)
    finish(Exit.LOOK if ill else Exit.DONE)
