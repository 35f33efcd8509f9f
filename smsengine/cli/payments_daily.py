"""``smsengine payments daily``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import click

from smsengine.cli.options import Exit, as_json, finish, with_engine
from smsengine.cli.output import say, say_json, table
from smsengine.cli.show import counted
from smsengine.clock import VIETNAM
from smsengine.lifecycle import DeliveryState
from smsengine.mailbox import mask_addresses
from smsengine.service import fence
from smsengine.service.bootstrap import Engine
from smsengine.service.daily_delivering import Courier
from smsengine.service.daily_tables import DailyTables, Files
from smsengine.store import daily_deliveries, daily_tables
from smsengine.store.daily_deliveries import Delivery
from smsengine.store.daily_tables import Made
from smsengine.text.numerals import money

_Deliveries = Mapping[int, Sequence[Delivery]]


@click.command()
@click.option(
    "--day",
    type=click.DateTime(formats=["%Y-%m-%d"]),
    metavar="DAY",
    help="Its tables only; default: yesterday, and supplements of all days before.",
)
@click.option("--organisation", help="The tables of this one only; needs --day.")
@click.option(
    "--deliver/--no-deliver", default=True, show_default=True, help="Deliver what has not arrived."
)
@as_json
@with_engine
def daily(
    engine: Engine,
    day: datetime | None,
    organisation: str | None,
    *,
    deliver: bool,
    as_json: bool,
) -> None:
    """Make the daily tables of payments that are lacking, deliver them, and show them.

    A table that is there is not made again; what was recorded since about its day stands in a
    numbered supplement. What has arrived is never delivered again.
    """
    if organisation is not None and day is None:
        raise click.UsageError("--organisation needs --day.")
    tables = DailyTables(engine)
    if deliver:
        fence.require(engine)
    courier = Courier(engine, tables)

    def bring(made: Sequence[Made], files: Files) -> None:
        if deliver:
            courier.deliver_due(files=files, table_ids=[each.id for each in made])

    if day is None:
        of_day = engine.today - timedelta(days=1)
        made = tables.make_all(of_day, then=bring)
    else:
        of_day = day.date()
        made = tables.make_day(of_day, organisation, then=bring)
    shown = _shown(engine, made, of_day, organisation)
    if deliver:
        courier.deliver_again(shown)
    _show(engine, shown, {each.id for each in made}, as_json=as_json)


def _shown(
    engine: Engine, made: Sequence[Made], day: date, organisation: str | None
) -> Sequence[Made]:
    """The tables of the day, and supplements of other days that were just made."""
    with engine.store.read() as connection:
        found = list(daily_tables.of_day(connection, day, organisation))
    return [*found, *(each for each in made if each.day != day)]


def _show(engine: Engine, shown: Sequence[Made], new: set[int], *, as_json: bool) -> None:
    deliveries: dict[int, list[Delivery]] = defaultdict(list)
    with engine.store.read() as connection:
        for each in daily_deliveries.of_tables(connection, [one.id for one in shown]):
            deliveries[each.table_id].append(each)
    if as_json:
        say_json([_facts(each, deliveries[each.id], is_new=each.id in new) for each in shown])
    else:
        _show_table(shown, new, deliveries)
    every = [each for some in deliveries.values() for each in some]
    is_open = any(each.state is DeliveryState.OPEN for each in every)
    finish(Exit.LOOK if is_open else Exit.DONE)


def _facts(made: Made, deliveries: Sequence[Delivery], *, is_new: bool) -> Mapping[str, Any]:
    return {
        "organisation": made.organisation,
        "office": made.office,
        "day": made.day,
        "supplement": made.sequence,
        "lines": made.lines,
        "amount": made.amount,
        "file": made.file_name,
        "sha256": made.sha256,
        "made_at": made.made_at,
        "is_new": is_new,
        "deliveries": [
            {
                "way": each.way,
                "target": mask_addresses(each.target),
                "state": each.state,
                "tries": each.tries,
                "settled_at": each.settled_at,
                "said": each.said,
            }
            for each in deliveries
        ],
    }


def _show_table(shown: Sequence[Made], new: set[int], deliveries: _Deliveries) -> None:
    header = ("day", "organisation", "no", "lines", "dong", "delivered")
    rows = [
        (
            each.day,
            f"{each.organisation} {each.office}",
            each.sequence,
            money(each.lines),
            money(each.amount),
            "\n".join(map(_said, deliveries[each.id])),
        )
        for each in shown
    ]
    if rows:
        table(header, rows, right="no,lines,dong")
    are = counted(len(new), "table was made", "tables were made")
    say(f"{are} now; {counted(len(shown), 'table', 'tables')} in all.")


def _said(delivery: Delivery) -> str:
    where = f"{delivery.way} {mask_addresses(delivery.target)}".strip()
    if delivery.settled_at is not None:
        at = f"{delivery.settled_at.astimezone(VIETNAM):%d/%m %H:%M}"
        return f"{where}: {delivery.state} {at}"
    return f"{where}: open, {delivery.said or 'not tried, or just being tried'}"
