"""What an exchange means by itself is a table, and every doubt in it is unknown."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from smsengine.gateways import http_outcomes
from smsengine.gateways.base import HELD_BACK, Outcome, OutcomeKind, Scope
from smsengine.gateways.http_exchange import Phase, Reply, Trouble

NOW = datetime(2026, 11, 5, 1, 0, tzinfo=UTC)
ACCOUNT = (OutcomeKind.REJECTED, Scope.ACCOUNT)
CALLER = (OutcomeKind.REJECTED, Scope.CALLER)
UNKNOWN = (OutcomeKind.UNKNOWN, None)
TRANSIENT = (OutcomeKind.TRANSIENT, None)
THROTTLED = (OutcomeKind.THROTTLED, None)


def answered(status: int, **headers: str) -> Reply:
    return Reply(phase=Phase.ANSWERED, status=status, headers=headers)


def meant(outcome: Outcome | None) -> tuple[OutcomeKind, Scope | None] | None:
    return outcome and (outcome.kind, outcome.scope)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, None),
        (201, None),
        (202, None),
        (204, None),
        (199, UNKNOWN),
        (301, CALLER),
        (302, UNKNOWN),
        (303, UNKNOWN),
        (307, CALLER),
        (308, CALLER),
        (400, CALLER),
        (401, ACCOUNT),
        (402, CALLER),
        (403, ACCOUNT),
        (404, CALLER),
        (405, CALLER),
        (408, UNKNOWN),
        (409, CALLER),
        (413, CALLER),
        (422, CALLER),
        (425, UNKNOWN),
        (429, THROTTLED),
        (451, CALLER),
        (499, CALLER),
        (500, UNKNOWN),
        (501, UNKNOWN),
        (502, UNKNOWN),
        (503, UNKNOWN),
        (504, UNKNOWN),
        (505, UNKNOWN),
        (511, UNKNOWN),
        (599, UNKNOWN),
        (999, UNKNOWN),
    ],
)
def test_a_status_has_its_meaning(
    status: int, expected: tuple[OutcomeKind, Scope | None] | None
) -> None:
    """Where the vendor says nothing, its status does; in the 200s its body has to be read."""
    assert expected == meant(http_outcomes.default_outcome(answered(status), NOW))


@pytest.mark.parametrize("status", [200, 401, 404, 429, 500, 502, 504])
def test_a_documented_503_changes_nothing_else(status: int) -> None:
    """What a vendor writes about 503 is not read into other statuses."""
    plain = http_outcomes.default_outcome(answered(status), NOW)
    assert plain == http_outcomes.default_outcome(answered(status), NOW, documented_503=True)


def test_a_documented_503_may_be_tried_again() -> None:
    """Only where the vendor writes that nothing was taken is 503 no doubt."""
    documented = http_outcomes.default_outcome(answered(503), NOW, documented_503=True)
    assert TRANSIENT == meant(documented)


@pytest.mark.parametrize(
    ("phase", "expected"), [(Phase.NOT_WRITTEN, TRANSIENT), (Phase.NO_ANSWER, UNKNOWN)]
)
@pytest.mark.parametrize("trouble", [*Trouble, None])
def test_how_far_it_came_decides(
    phase: Phase, expected: tuple[OutcomeKind, Scope | None], trouble: Trouble | None
) -> None:
    """What broke an exchange off is for people; only what was written counts."""
    outcome = http_outcomes.default_outcome(Reply(phase=phase, trouble=trouble), NOW)
    assert expected == meant(outcome)
    assert outcome is not None
    assert (phase.value, trouble or "") == (outcome.code, outcome.detail)


def test_what_was_held_back_is_so_called() -> None:
    """The engine knows a message that got no clearance by its outcome."""
    assert HELD_BACK == http_outcomes.default_outcome(Reply(phase=Phase.HELD_BACK), NOW)


def test_a_status_stays_as_the_code() -> None:
    """Whoever looks at a message later sees what the vendor answered."""
    outcome = http_outcomes.default_outcome(answered(502), NOW)
    assert outcome is not None
    assert "http-502" == outcome.code


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("0", 0.0),
        ("7", 7.0),
        ("1.5", 1.5),
        ("-3", 0.0),
        ("inf", 3600.0),
        ("86400", 3600.0),
        ("Thu, 05 Nov 2026 01:00:30 GMT", 30.0),
        ("Thu, 05 Nov 2026 08:00:30 +0700", 30.0),
        ("Thu, 05 Nov 2026 00:59:00 GMT", 0.0),
        ("Fri, 06 Nov 2026 01:00:00 GMT", 3600.0),
        ("Thu, 99 Nov 2026 01:00:30 GMT", None),
    ],
)
def test_a_pause_is_read(said: str | None, seconds: float | None) -> None:
    """Seconds or a date, never backwards, never longer than an hour, and never an error."""
    assert seconds == http_outcomes.pause_seconds(said, NOW)


@pytest.mark.parametrize("name", ["Retry-After", "retry-after", "RETRY-AFTER"])
def test_a_throttled_message_waits_as_long_as_asked(name: str) -> None:
    """The pause of a 429 comes with its outcome, however the header is spelled."""
    outcome = http_outcomes.default_outcome(answered(429, **{name: "12"}), NOW)
    assert outcome is not None
    assert 12.0 == outcome.retry_after_seconds


@pytest.mark.parametrize(
    ("status", "expected"),
    [(399, False), (400, True), (404, True), (409, True), (499, True), (500, False)]
    + [(status, False) for status in (401, 403, 408, 425, 429)],
)
def test_only_a_refusal_that_says_nothing_is_explicable(status: int, *, expected: bool) -> None:
    """A code in the body never overrules a status that is plain or doubtful by itself."""
    assert expected == http_outcomes.is_explicable(status)


def test_an_unmapped_code_is_kept() -> None:
    """A refusal that nobody mapped is ours to mend, and its code is there to be mapped."""
    outcome = http_outcomes.unmapped("777", "quota of the moon")
    assert (*CALLER, "777", "unmapped; quota of the moon") == (
        outcome.kind,
        outcome.scope,
        outcome.code,
        outcome.detail,
    )


@pytest.mark.parametrize("outcome", [http_outcomes.unreadable(), http_outcomes.unanswered()])
def test_what_nobody_can_read_is_in_doubt(outcome: Outcome) -> None:
    """An answer that says nothing of a message is no refusal of it."""
    assert UNKNOWN == meant(outcome)
