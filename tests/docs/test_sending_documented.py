"""The table of outcomes in docs/sending.md is what the engine does."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from smsengine.gateways.base import Outcome, OutcomeKind, Scope
from smsengine.lifecycle import MessageState
from smsengine.sending.retrying import Situation, react
from tests.docs.documents import section, table, words

NOW = datetime(2019, 6, 1, 1, 0, tzinfo=UTC)
OUTCOMES = [
    Outcome(kind=kind, scope=scope)
    for kind in OutcomeKind
    for scope in (Scope if kind is OutcomeKind.REJECTED else [None])
]
ROWS = {tuple(words(row[0])): row for row in table(section("docs/sending.md", "outcomes"))}


def name(outcome: Outcome) -> tuple[str, ...]:
    """What the first cell of an outcome's row says."""
    return tuple(str(part) for part in (outcome.kind, outcome.scope) if part)


def after(outcome: Outcome, *, in_doubt: bool) -> tuple[MessageState, bool]:
    """The state that follows, and whether the hand-over counts."""
    situation = Situation(now=NOW, due_at=NOW, in_doubt=in_doubt)
    reaction = react(outcome, situation, random.Random(1))
    return reaction.state, reaction.burns


def test_every_outcome_has_its_line() -> None:
    """No answer of a gateway leaves a reader guessing."""
    assert [name(outcome) for outcome in OUTCOMES] == list(ROWS)


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: "-".join(name(outcome)))
def test_a_line_says_what_becomes_of_the_message(outcome: Outcome) -> None:
    """What the page promises for an outcome happens, with and without a doubt before."""
    _, _, state, in_doubt, counts, _ = ROWS[name(outcome)]
    assert after(outcome, in_doubt=False) == (state.strip("`"), counts == "yes")
    assert after(outcome, in_doubt=True)[0] == in_doubt.strip("`")
