"""``smsengine doctor``."""

from __future__ import annotations

from dataclasses import asdict

import click

from smsengine.cli.options import Exit, as_json, finish, with_engine, yes
from smsengine.cli.output import say, say_json
from smsengine.service import fence
from smsengine.service.bootstrap import Engine
from smsengine.service.health import examine
from smsengine.service.membership import Standing
from smsengine.service.people import own_account


@click.command()
@click.option(
    "--adopt",
    is_flag=True,
    help="Let this machine work on a ledger that was restored, copied or is new to it; what may"
    " have been sent since is stopped.",
)
@yes
@as_json
@with_engine
def doctor(engine: Engine, *, adopt: bool, yes: bool, as_json: bool) -> None:
    """Say what would fail tonight: configuration, ledger, disk, gateways, jobs."""
    if adopt:
        _adopt(engine, yes=yes, as_json=as_json)
        return
    ill = 0
    for finding in examine(engine):
        ill += not finding.good
        if as_json:
            say_json(asdict(finding))
        else:
            mark, style = ("ok  ", "green") if finding.good else ("FAIL", "bold red")
            mark, style = ("look", "yellow") if finding.warns else (mark, style)
            say(f"{mark} {finding.what}: {finding.said}", style=style)
    finish(Exit.LOOK if ill else Exit.DONE)


def _adopt(engine: Engine, *, yes: bool, as_json: bool) -> None:
    """Show what it means, ask, and do it."""
    found = fence.adoption(engine)
    if found.standing is not Standing.OWN and not yes:
        say(fence.check(engine), style="yellow", stderr=True)
        say("After adopting:", stderr=True)
        for sentence in found.sentences():
            say(f"  {sentence}", stderr=True)
        click.confirm("Is this the right ledger?", abort=True, err=True)
    done = fence.adopt(engine, own_account())
    if as_json:
        say_json({"standing": found.standing, "adopted": done})
        return
    for sentence in done:
        say(sentence)
