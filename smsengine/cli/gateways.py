"""``smsengine gateways``."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

import click

from smsengine.cli.options import Exit, as_json, finish, with_engine, yes
from smsengine.cli.output import say, say_json, table
from smsengine.cli.show import counted, local_time
from smsengine.errors import ConfigError, GatewayError
from smsengine.gateways.base import Balance, OutcomeKind
from smsengine.service import alarming, trying
from smsengine.service.bootstrap import Engine
from smsengine.service.people import own_account
from smsengine.service.registry import compare
from smsengine.store import lanes
from smsengine.store.lanes import LaneRow
from smsengine.text.numerals import money


@click.group()
def gateways() -> None:
    """Look at the ways out, and open them again."""


@gateways.command("list")
@as_json
@with_engine
def list_gateways(engine: Engine, *, as_json: bool) -> None:
    """Every gateway: its contract, what it can, and whether anything leaves through it."""
    with engine.store.read() as connection:
        rows = {name: lanes.get(connection, name) for name in engine.settings.gateways}
        now = lanes.present(connection, engine.clock.now().timestamp())
    found = [_facts(engine, name, row, now) for name, row in rows.items()]
    if as_json:
        for facts in found:
            say_json(facts)
        return
    header = ("gateway", "kind", "to", "can", "rate", "window", "dong a segment", "state")
    table(header, [_shown(facts) for facts in found], right="dong a segment")


def _shown(facts: Mapping[str, Any]) -> tuple[object, ...]:
    can = facts["can"]
    return (
        facts["gateway"],
        facts["kind"],
        facts["channel"] or "?",
        "cannot be opened" if can is None else ", ".join(can) or "send",
        facts["rate"] or "as fast as it goes",
        facts["window"] or "always",
        "\n".join([str(facts["price"]), *map(_priced, facts["prices"].items())]),
        facts["said"],
    )


def _priced(priced: tuple[str, int]) -> str:
    return f"{priced[0]} {priced[1]}"


def _facts(engine: Engine, name: str, row: LaneRow, now: float) -> dict[str, object]:
    settings = engine.gateway_settings(name)
    rate = settings.rate
    window = settings.window or engine.settings.window
    prices = engine.prices_today(name)
    channel, can = _sheet(engine, name)
    return {
        "gateway": name,
        "kind": settings.kind,
        "channel": channel,
        "can": can,
        "rate": f"{rate.per_second:g} {rate.unit}/s" if rate else None,
        "window": str(window) if window else None,
        "price": prices.others,
        "prices": prices.networks,
        "breaker": row.breaker.value,
        "paused_because": row.paused_because,
        "said": _said(row, now),
    }


def _sheet(engine: Engine, name: str) -> tuple[str | None, list[str] | None]:
    """The channel, and what a gateway can beside sending; None where it cannot be opened."""
    channel = None
    try:
        channel = engine.kind(name).channel.value
        with closing(engine.gateway(name)) as gateway:
            sheet = gateway.capabilities
    except (ConfigError, GatewayError):
        return channel, None
    able = {
        "receipts": sheet.has_receipts or sheet.can_report,
        "query": sheet.can_query,
        "balance": sheet.has_balance,
        "templates": sheet.lists_templates,
    }
    return channel, [word for word, can in able.items() if can]


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
    """Look whether gateways could be used now; nothing is sent.

    Where the vendor tells which templates it has registered, those of the jobs are looked for.
    """
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
            said = gateway.check()
            if not gateway.capabilities.lists_templates:
                return True, said
            compared = compare(engine, name, gateway)
    except (ConfigError, GatewayError) as error:
        return False, str(error)
    if compared.faults:
        return False, "\n  ".join([said, *compared.faults])
    return True, f"{said}; registered as here: {counted(compared.found, 'template', 'templates')}"


@gateways.command()
@click.argument("name", required=False)
@as_json
@with_engine
def balance(engine: Engine, name: str | None, *, as_json: bool) -> None:
    """Say what is left on our account, of NAME or of all that tell."""
    faults = 0
    for each in [name] if name else engine.settings.gateways:
        left, fault = _left(engine, each)
        faults += bool(fault)
        said = fault or "does not say what is left"
        if as_json:
            say_json(_balance_facts(each, left) if left else {"gateway": each, "said": said})
        elif left is not None:
            at = local_time(left.at)
            say(f"{each}: {money(left.amount)} {left.currency}, {at}")
        elif name or fault:
            say(f"{each}: {said}", style="red" if fault else "")
    finish(Exit.LOOK if faults else Exit.DONE)


def _left(engine: Engine, name: str) -> tuple[Balance | None, str]:
    """What is left, or why that cannot be told."""
    try:
        with closing(engine.gateway(name)) as gateway:
            return (gateway.balance() if gateway.capabilities.has_balance else None), ""
    except (ConfigError, GatewayError) as error:
        return None, str(error)


def _balance_facts(name: str, left: Balance) -> dict[str, object]:
    return {
        "gateway": name,
        "amount": left.amount,
        "currency": left.currency,
        "at": left.at.isoformat(),
    }


@gateways.command()
@click.argument("name")
@click.option("--to", required=True, metavar="PHONE", help="Who gets it: a phone, or an address.")
@click.option("--registered", metavar="TEMPLATE", help="A registered template, filled with TEST.")
@click.option("--anyway", is_flag=True, help="Also outside the sending hours.")
@yes
@as_json
@with_engine
def test(
    engine: Engine,
    name: str,
    to: str,
    registered: str | None,
    *,
    anyway: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Send one text that says it is a test through NAME, now and outside of any run."""
    trial = trying.prepare(engine, name, to, registered=registered)
    if not yes:
        say(f"{trial.to}: {trial.message.text}", stderr=True)
        click.confirm(f"Send this text through {name} now?", abort=True, err=True)
    outcome = trying.send(engine, trial, actor=own_account(), anyway=anyway)
    said = trying.told(outcome)
    if as_json:
        facts = {"gateway_id": outcome.gateway_id, "code": outcome.code, "said": said}
        say_json({"gateway": name, "to": trial.to, "outcome": outcome.kind.value} | facts)
    else:
        say(f"{name}: {said}")
    finish(Exit.DONE if outcome.kind is OutcomeKind.ACCEPTED else Exit.LOOK)


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
