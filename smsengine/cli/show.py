"""Runs, texts and accounts as people read them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from smsengine.cli.output import say, table
from smsengine.clock import VIETNAM
from smsengine.lifecycle import MessageState, RunState, SkipReason
from smsengine.phone import mask
from smsengine.planning.order import Planned
from smsengine.reports.accounts import Account, account
from smsengine.reports.exports import PURGED
from smsengine.service.inspection import Golden
from smsengine.store import messages, runs
from smsengine.store.engine import Store
from smsengine.store.runs import Run
from smsengine.text.numerals import money

_SHOWN_SUBJECTS = 5
_MEANING = {
    MessageState.QUEUED: "queued: waits",
    MessageState.SENDING: "sending: handed over, no answer yet",
    MessageState.ACCEPTED: "accepted: no receipt yet",
    MessageState.DELIVERED: "delivered",
    MessageState.UNDELIVERED: "undelivered: says a receipt",
    MessageState.UNCONFIRMED: "accepted; no receipt came in time",
    MessageState.REJECTED: "rejected: by the gateway",
    MessageState.UNKNOWN: "unknown: never sent again by itself",
    MessageState.EXPIRED: "expired: not sent in time",
    MessageState.CANCELLED: "cancelled: withdrawn",
    MessageState.MERGED: "merged: told in one text with others",
}


def counted(count: int, one: str, many: str) -> str:
    """``1 message`` or ``12.000 messages``."""
    return f"{money(count)} {one if count == 1 else many}"


def standing(run: Run) -> str:
    """The state of a run, and whether its texts and phones are there no more."""
    return f"{run.state}, purged" if run.purged_at else str(run.state)


def show_golden(golden: Golden, before: str = "") -> None:
    """A golden row as it would go out, and its text until now where that was another."""
    say(f"  golden row {golden.case}")
    if before:
        say(f"    until now: {before}", style="dim")
    if golden.skipped:
        say(f"    no text: {golden.skipped}", style="dim")
        return
    say(f"    {golden.text}")
    cost = ", ".join(
        f"{money(amount)} dong{f' to {network}' if network else ''}"
        for network, amount in golden.cost.items()
    )
    say(f"    {len(golden.text)} characters, {golden.segments} segment(s), {cost}", style="dim")


def show_manifest(run: Run) -> None:
    """What was counted before anything is sent."""
    facts = json.loads(run.manifest)
    say(f"{run.label}: manifest {run.manifest_hash[:16]}", style="bold")
    rows = [
        ("rows of the extract", money(run.source_rows)),
        ("further recipients", money(run.extra_recipients)),
        ("messages", money(run.messages)),
        *_merged(facts),
        ("skipped", money(run.skips)),
        ("told before", money(run.already_planned)),
        ("segments", money(run.segments)),
        ("cost, dong", money(run.cost)),
    ]
    # Manifests of old say nothing of networks.
    priced = facts.get("prices_by_network") or {}
    rows += [
        (f"  segments to {network}, {money(priced[network])} dong each", money(count))
        for network, count in facts.get("segments_by_network", {}).items()
        if network in priced
    ]
    if facts["money_column"]:
        rows.append((f"sum of {facts['money_column']}, dong", money(run.money)))
        rows += [
            (what, money(facts[key]))
            for what, key in (("  lowest", "lowest"), ("  highest", "highest"))
            if facts[key] is not None
        ]
    rows += [
        (f"  skipped: {reason}", money(count)) for reason, count in facts["skip_reasons"].items()
    ]
    table(("what", "count"), rows, right="count")
    if facts["warnings"]:
        say(
            f"{counted(facts['warnings'], 'warning', 'warnings')}, e.g."
            f" {facts['first_warnings'][0]}",
            style="yellow",
        )
    if run.held_because and run.state is RunState.HELD:
        say(f"Held: {run.held_because}", style="yellow")


def _merged(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How many messages are told in one text with others; manifests of old say nothing of it."""
    merged = facts.get("merged", 0)
    return [("  of these told together with others", money(merged))] if merged else []


def show_texts(store: Store, run_id: int, limit: int = 3, subject: str = "") -> None:
    """The first texts of a run; those about one subject, and about many, before them."""
    with store.read() as connection:
        wanted = list(messages.find(connection, subject=subject, limit=1)) if subject else []
        run = runs.get(connection, run_id)
        if run is not None and run.manifest and _merged(json.loads(run.manifest)):
            wanted += messages.sample_of_carriers(connection, run_id, limit=1)
        first = messages.sample(connection, run_id, limit)
        for row in [*wanted, *(row for row in first if row["subject"] != subject)][:limit]:
            say(f"{row['subject']}  {mask(row['address'])}".strip(), style="bold")
            say(f"  {row['text'] or PURGED}")


def show_account(store: Store, run_id: int) -> None:
    """Where every row of a run is, and whether the sums tie."""
    found = account(store, run_id)
    if found is None:
        return
    run = found.run
    say(f"Run {run.id}: {run.label}, {run.kind}, {standing(run)}", style="bold")
    table(("rows", "count"), _account_rows(found), right="count")
    _say_tie(found)


def _account_rows(found: Account) -> list[tuple[str, str]]:
    run = found.run
    rows = [("rows of the extract", money(run.source_rows))]
    if run.extra_recipients:
        rows.append(("further recipients", money(run.extra_recipients)))
    if run.already_planned:
        rows.append(("told before", money(run.already_planned)))
    rows.append(("messages", money(run.messages)))
    rows += [(f"  {_MEANING[state]}", money(found.states[state])) for state in sorted(found.states)]
    rows.append(("skipped", money(run.skips)))
    rows += [(f"  {reason}", money(count)) for reason, count in found.reasons.most_common()]
    return rows


def _say_tie(found: Account) -> None:
    for sentence in found.breaks:
        say(f"The account does not tie: {sentence}", style="bold red")
    if not found.breaks:
        run = found.run
        recipients = run.source_rows + run.extra_recipients
        say(
            f"Ties: {money(recipients)} = {counted(run.messages, 'message', 'messages')}"
            f" + {money(run.skips)} skipped + {money(run.already_planned)} told before;"
            f" {money(run.segments)} segments, {money(run.cost)} dong.",
            style="green",
        )


def show_selection(planned: Planned, *, as_json: bool) -> None:
    """What a plan left out because of what the ledger knows."""
    chosen = planned.selection
    if as_json:
        return
    if planned.run is None:
        say(f"Nothing new: {money(planned.rows_read)} rows read.")
        for reason, count in planned.reasons.most_common():
            if reason is not SkipReason.CHANGED_AFTER_SENT:
                say(f"{counted(count, 'recipient gets', 'recipients get')} no message: {reason}.")
    if chosen.same:
        have = counted(chosen.same, "recipient has", "recipients have")
        say(f"{have} the same message already.")
    if chosen.changed and planned.run is not None and planned.run.kind == "correction":
        return
    if chosen.changed:
        subjects = ", ".join(chosen.changed[:_SHOWN_SUBJECTS])
        more = "" if len(chosen.changed) <= _SHOWN_SUBJECTS else ", ..."
        have = counted(len(chosen.changed), "recipient has", "recipients have")
        say(
            f"{have} a message with other figures and got no new one"
            f" ({subjects}{more}); if that was sent and these are corrections: --resend"
            " changed --reason TEXT; if it is held, cancel its run.",
            style="yellow",
        )
    for count, what in (
        (chosen.still_open, "left out: the last message is not settled yet"),
        (chosen.over_cap, "left out: told as often as the job allows"),
    ):
        if count:
            say(f"{counted(count, 'recipient', 'recipients')} {what}.", style="yellow")


def local_time(value: object) -> str:
    """An instant as Vietnam reads it; empty for none."""
    return value.astimezone(VIETNAM).strftime("%Y-%m-%d %H:%M:%S") if value else ""  # type: ignore[attr-defined]
