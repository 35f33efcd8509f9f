"""One text through a gateway, now and outside of any run: does the contract work?

It says of itself that it is a test. What is sent so is no message of a run and has no receipt; that
it was sent, by whom and with what answer stands in the ledger's alarms as a note, and in the
morning report. The note is there before the first byte leaves.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from smsengine import mailbox
from smsengine.clock import VIETNAM, Clock
from smsengine.config.registered import Registered, load_registered, registered_path
from smsengine.errors import RefusedError, RowError, UsageError
from smsengine.gateways.base import Channel, Gateway, Outbound, Outcome, OutcomeKind, TemplateUse
from smsengine.lifecycle import Grade
from smsengine.mailbox import Mailbox
from smsengine.phone import Phone, PhoneBook, mask, mask_numbers
from smsengine.planning.proofs import prove_rules
from smsengine.sending.pace import LATE_SECONDS, Pace, Rate
from smsengine.service import fence
from smsengine.service.bootstrap import Engine
from smsengine.service.house_rules import rules_of
from smsengine.store import alarms, lanes
from smsengine.text.gsm import measure
from smsengine.text.plain import fold

_WORD = "TEST"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A test text that is ready to go."""

    gateway: str
    message: Outbound

    @property
    def to(self) -> str:
        """The address, masked."""
        return mask(self.message.address)


def prepare(engine: Engine, name: str, to: str, *, registered: str | None = None) -> Trial:
    """Make a test text for a phone, or for an e-mail address where the gateway writes e-mails.

    Args:
        engine: the installation.
        name: the gateway.
        to: the phone number or address.
        registered: a registered template whose parameters are filled with the word TEST, for
            gateways that take nothing else.

    Raises:
        UsageError: the address is none, or the gateway needs a template.
        ConfigError: there is no such gateway or template.
        RowError: the gateway's own house rules refuse the text.
    """
    kind = engine.kind(name)
    receiver = _receiver(engine, kind.channel, to)
    text, template = _text(engine, name), None
    if registered is not None:
        text, template = _of_template(engine, registered, receiver.network)
    if template is None and kind.needs_template:
        raise UsageError(f"{name} takes no text but a template; name one with --registered.")
    measured = measure(text)
    prove_rules(text, measured, rules_of([engine.gateway_settings(name)]))
    message = Outbound(
        reference=f"test-{secrets.token_hex(12)}",
        address=receiver.address,
        network=receiver.network,
        text=text,
        segments=measured.segments,
        template=template,
    )
    return Trial(gateway=name, message=message)


def _receiver(engine: Engine, channel: Channel, to: str) -> Phone | Mailbox:
    found: Sequence[Phone | Mailbox | RowError]
    if channel is Channel.EMAIL:
        found = mailbox.parse(to)
    else:
        found = PhoneBook(engine.settings.phones.extra_prefixes).parse(to)
    if len(found) != 1:
        raise UsageError("--to needs one address, and one only.")
    if isinstance(found[0], RowError):
        raise UsageError(f"--to: {found[0]}")
    return found[0]


def _text(engine: Engine, name: str) -> str:
    at = engine.clock.now().astimezone(VIETNAM)
    return f"{_WORD} smsengine, {fold(name)}, {at:%d/%m/%Y %H:%M}. Xin bo qua tin nhan nay."


def _of_template(engine: Engine, name: str, network: str) -> tuple[str, TemplateUse | None]:
    path = registered_path(engine.settings.templates, name)
    registered: Registered = load_registered(path, engine.networks)
    variant = registered.variant_for(network)
    if variant is None:
        raise UsageError(f"{path} has nothing for {network or 'phones of an unknown network'}.")
    params = [_WORD[:longest] for longest in variant.wording.longest]
    text = variant.wording.fill(params)
    if variant.id is None:
        return text, None
    return text, TemplateUse(variant.id, tuple(zip(variant.names, params, strict=True)))


def send(engine: Engine, trial: Trial, *, actor: str, anyway: bool = False) -> Outcome:
    """Hand a test text over.

    Args:
        engine: the installation.
        trial: what ``prepare`` made.
        actor: who asked for it.
        anyway: also outside the hours in which people are texted.

    Raises:
        RefusedError: it is outside these hours, or the ledger may be a copy.
        GatewayError: the gateway cannot be opened; nothing was sent.
    """
    fence.require(engine)
    _require_hours(engine, trial.gateway, anyway=anyway)
    with engine.store.write() as connection:
        lanes.ensure(connection, trial.gateway)
    with closing(engine.gateway(trial.gateway)) as gateway:
        _note(engine, trial, "begun", f"{actor} sends a test text to {trial.to} through it.")
        outcome = _hand_over(engine, trial, gateway)
    _note(engine, trial, "answered", f"The test text to {trial.to}: {told(outcome)}")
    return outcome


def _require_hours(engine: Engine, name: str, *, anyway: bool) -> None:
    hours = engine.gateway_settings(name).window or engine.settings.window
    opens = hours.opens_at(engine.clock.now()) if hours else None
    if opens is not None and not anyway:
        raise RefusedError(
            f"It is outside the sending hours {hours}; wait until"
            f" {opens.astimezone(VIETNAM):%d/%m %H:%M}, or say --anyway."
        )


def _hand_over(engine: Engine, trial: Trial, gateway: Gateway) -> Outcome:
    settings = engine.gateway_settings(trial.gateway)
    pace = Pace(
        store=engine.store,
        gateway=trial.gateway,
        rate=Rate(*settings.rate) if settings.rate else None,
        clock=engine.clock,
    )

    left = False

    def clear(messages: Sequence[Outbound]) -> bool:
        nonlocal left
        _wait_for_turn(pace, messages, engine.clock)
        left = True
        return True

    try:
        return gateway.send([trial.message], clear)[0]
    except Exception as error:  # noqa: BLE001 - whatever happens, the note is written
        kind = OutcomeKind.UNKNOWN if left else OutcomeKind.TRANSIENT
        return Outcome(kind=kind, code="broke-off", detail=type(error).__name__)


def _wait_for_turn(pace: Pace, messages: Sequence[Outbound], clock: Clock) -> None:
    """Take a slot of the contract's rate, as the messages of runs do; a missed one is lost."""
    while True:
        at = pace.turn(messages)
        while (left := at - clock.monotonic()) > 0:
            clock.sleep(left)
        if left > -LATE_SECONDS:
            return


def _note(engine: Engine, trial: Trial, what: str, said: str) -> None:
    now: datetime = engine.clock.now()
    key = f"{trial.message.reference} {what}"
    with engine.store.write() as connection:
        text = f"Gateway {trial.gateway}: {said}"
        alarms.sound(connection, key=key, at=now, grade=Grade.NOTE, text=text)


def told(outcome: Outcome) -> str:
    """What an answer means, in a sentence for whoever tried."""
    code = f" (code {outcome.code})" if outcome.code else ""
    detail = f" It says: {mask_numbers(outcome.detail)}" if outcome.detail else ""
    match outcome.kind:
        case OutcomeKind.ACCEPTED:
            name = f" as {outcome.gateway_id}" if outcome.gateway_id else ""
            return f"accepted{name}{code}. Look whether it arrives."
        case OutcomeKind.REJECTED:
            return f"refused, the fault is the {outcome.scope or 'unknown'}'s{code}.{detail}"
        case OutcomeKind.UNKNOWN:
            return f"nobody knows whether it was taken{code}; look at the phone.{detail}"
        case _:
            return f"not taken, {outcome.kind}{code}.{detail}"
