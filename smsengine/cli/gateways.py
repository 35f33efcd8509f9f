"""``smsengine gateways``."""

from __future__ import annotations

from contextlib import closing

import click

from smsengine.cli.options import Exit, as_json, finish, with_engine
from smsengine.cli.output import say, say_json, table
from smsengine.errors import ConfigError, GatewayError
from smsengine.service import alarming
from smsengine.service.bootstrap import Engine
from smsengine.store import lanes
from smsengine.store.lanes import LaneRow


@click.group()
def gateways() -> None:
    """Look at the ways out, and open them again."""


@gateways.command("list")
@as_json
@with_engine
def list_gateways(engine: Engine, *, as_json: bool) -> None:
    """Every gateway: its contract, and whether anything leaves through it."""
    with engine.store.read() as connection:
        rows = {name: lanes.get(connection, name) for name in engine.settings.gateways}
        now = lanes.present(connection, engine.clock.now().timestamp())
    if as_json:
        for name, row in rows.items():
            say_json(_facts(engine, name, row, now))
        return
    table(
        ("gateway", "kind", "rate", "window", "dong a segment", "state"),
        [
            (
                name,
                facts["kind"],
                facts["rate"] or "as fast as it goes",
                facts["window"] or "always",
                facts["price"],
                facts["said"],
            )
            for name, row in rows.items()
            if (facts := _facts(engine, name, row, now))
        ],
        right="dong a segment",
    )


def _facts(engine: Engine, name: str, row: LaneRow, now: float) -> dict[str, object]:
    settings = engine.gateway_settings(name)
    rate = settings.rate
    window = settings.window or engine.settings.window
    return {
        "gateway": name,
        "kind": settings.kind,
        "rate": f"{rate.per_second:g} {rate.unit}/s" if rate else None,
        "window": str(window) if window else None,
        "price": engine.prices_today(name).others,
        "breaker": row.breaker.value,
        "paused_because": row.paused_because,
        "said": _said(row, now),
    }


def _said(row: LaneRow, now: float) -> str:
    if row.paused_because:
        return f"our account is refused: {row.paused_because}"
    if row.breaker != "closed":
        seconds = max(0, round(row.open_until - now))
        return f"gives no usable answer; tried again in {seconds} s"
    return "in order"


@gateways.command()
@click.argument("name", required=False)
@as_json
@with_engine
def check(engine: Engine, name: str | None, *, as_json: bool) -> None:
    """Look whether gateways could be used now; nothing is sent."""
    faults = 0
    for each in [name] if name else engine.settings.gateways:
        good, said = _checked(engine, each)
        faults += not good
        if as_json:
            say_json({"gateway": each, "good": good, "said": said})
        else:
            say(f"{each}: {said}", style="" if good else "red")
    finish(Exit.LOOK if faults else Exit.DONE)


def _checked(engine: Engine, name: str) -> tuple[bool, str]:
    try:
        with closing(engine.gateway(name)) as gateway:
            return True, gateway.check()
    except (ConfigError, GatewayError) as error:
        return False, str(error)


@gateways.command()
@click.argument("name")
@as_json
@with_engine
def resume(engine: Engine, name: str, *, as_json: bool) -> None:
    """Send through NAME again, after its account was mended or when it is known to answer."""
    engine.gateway_settings(name)
    with engine.store.write() as connection:
        was_stopped = lanes.resume(connection, name)
        alarming.lane_resumed(connection, name, engine.clock.now())
    if as_json:
        say_json({"gateway": name, "was_stopped": was_stopped})
    elif was_stopped:
        say(f"{name} is open again. The daemon goes on by itself; without one, start the same")
        say("  smsengine send JOB --period PERIOD")
    else:
        say(f"{name} was not stopped.")
