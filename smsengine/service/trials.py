"""A notice on the office's own phones, before it is approved: marked, and outside of any run."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from smsengine.clock import day_begins
from smsengine.config.job import CENTRAL, LoadedJob
from smsengine.config.offices import Office
from smsengine.errors import RefusedError, RowError, UsageError
from smsengine.gateways.base import Outbound, Outcome
from smsengine.phone import Phone, PhoneBook, mask
from smsengine.planning.proofs import HouseRules, prove_rules
from smsengine.service import auditing, trying
from smsengine.service.bootstrap import Engine
from smsengine.service.checks import Checked, look_at
from smsengine.service.inspection import bad
from smsengine.service.people import Actor
from smsengine.service.trying import Trial
from smsengine.store import audit
from smsengine.store.turns import take_turn
from smsengine.text.gsm import measure

_MARK = "TIN THU: "
#: Of an office in a day; a trial is no way round an approval.
MOST_A_DAY = 20
_WHAT = "trial"


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One trial text, and what the gateway said of it."""

    case: str
    to: str
    text: str
    outcome: Outcome


def try_out(
    engine: Engine, name: str, *, to: str | None, actor: Actor, anyway: bool = False
) -> Iterator[Tried]:
    """Send a notice's golden rows, or its first text where it has none, to its office's phones.

    Args:
        engine: the installation.
        name: the notice, as its files lie on the disk.
        to: one of the office's phones; None for all of them.
        actor: who asked for it.
        anyway: also outside the hours in which people are texted.

    Raises:
        UsageError: there is no such notice or phone.
        RefusedError: something is wrong with the notice, its office has no phones or has tried
            enough today, or its gateway takes no text.
        RowError: the marked text breaks a house rule of the gateway.
    """
    catalogue = engine.catalogue()
    checked = look_at(engine, catalogue, catalogue.path_of(name), actor)
    wrong = [each.sentence(checked.language) for each in bad(checked.findings, overridden=True)]
    if wrong or checked.loaded is None:
        listed = "\n".join(wrong)
        raise RefusedError(f"{listed}\nMend it, and look again: smsengine jobs check {name}")
    loaded = checked.loaded
    phones = _phones(engine, engine.settings.offices.get(loaded.owner), loaded, to)
    gateway = engine.route(loaded.job.gateway).gateways[0]
    if engine.kind(gateway).needs_template:
        raise RefusedError(f"{gateway} takes no text but registered templates; it cannot be tried.")
    texts, rules = _texts(checked), engine.house_rules(gateway)
    with engine.store.read() as connection:
        _require_few(connection, engine, loaded, len(texts) * len(phones))
    for case, text in texts:
        for phone in phones:
            message = _message(phone, f"{_MARK}{text}", rules)
            trial = Trial(gateway=gateway, message=message)
            _note(engine, actor, loaded, f"{case} to {trial.to}")
            outcome = trying.send(engine, trial, actor=actor.name, anyway=anyway)
            yield Tried(case=case, to=trial.to, text=trial.message.text, outcome=outcome)


def _phones(
    engine: Engine, office: Office | None, loaded: LoadedJob, to: str | None
) -> list[Phone]:
    """The office's own phones, or the one that was named."""
    if loaded.owner == CENTRAL:
        raise RefusedError(
            f"{loaded.name} is the Centre's; a gateway is tried with 'smsengine gateways test'."
        )
    listed = ", ".join(office.trial) if office is not None else ""
    if not listed:
        raise RefusedError(
            f"{loaded.owner} has no phones for trials; the Centre adds them under"
            f" offices.{loaded.owner}.trial of {engine.config.name}."
        )
    book = PhoneBook(engine.settings.phones.extra_prefixes)
    own = [each for each in book.parse(listed) if not isinstance(each, RowError)]
    if to is None:
        return own
    named = [each for each in book.parse(to) if not isinstance(each, RowError)]
    found = [each for each in own if each in named]
    if not found:
        there = ", ".join(mask(each.address) for each in own)
        raise UsageError(f"--to is none of the office's own phones; those are: {there}.")
    return found


def _texts(checked: Checked) -> Sequence[tuple[str, str]]:
    """What is tried: the golden rows that become texts, or the first text of the extract."""
    golden = [(str(each.case), each.text) for each in checked.golden if each.text]
    if golden:
        return golden
    if not checked.samples:
        raise RefusedError(f"{checked.name} has no golden rows, and no row that becomes a text.")
    return [("first row", checked.samples[0].text)]


def _message(phone: Phone, text: str, rules: HouseRules) -> Outbound:
    measured = measure(text)
    prove_rules(text, measured, rules)
    return Outbound(
        reference=f"trial-{secrets.token_hex(12)}",
        address=phone.address,
        network=phone.network,
        text=text,
        segments=measured.segments,
        template=None,
    )


def _require_few(connection: Connection, engine: Engine, loaded: LoadedJob, count: int) -> None:
    begins = day_begins(engine.clock.now())
    before = audit.count(connection, what=_WHAT, about=f"{loaded.owner}/", since=begins)
    if before + count > MOST_A_DAY:
        raise RefusedError(
            f"{loaded.owner} may try {MOST_A_DAY} texts a day; it has tried {before} today, and"
            f" these would be {count} more."
        )


def _note(engine: Engine, actor: Actor, loaded: LoadedJob, detail: str) -> None:
    """Before the first byte leaves; of all who try at once, one counts and writes at a time."""
    with engine.store.write() as connection:
        take_turn(connection, _WHAT, loaded.owner)
        _require_few(connection, engine, loaded, 1)
        auditing.note(connection, engine, actor, _WHAT, loaded.name, detail)
