"""Who is to be left alone from now on gets nothing of what is under way either."""

from __future__ import annotations

import pytest

from smsengine.store import outbox
from tests.conftest import START, Office, phone
from tests.store.conftest import rows

TO_SECOND = f"+84{phone(2)[1:]}"


@pytest.mark.parametrize(("owner", "expected"), [(None, 1), ("central", 1), ("01-hanoi", 0)])
def test_what_waits_for_a_phone_is_withdrawn(
    office: Office, owner: str | None, expected: int
) -> None:
    """That of everybody, or of one office alone; all other phones keep theirs."""
    office.released(rows(3))
    with office.store.write() as connection:
        taken = outbox.leave_alone(
            connection, [TO_SECOND], owner=owner, code="suppressed", now=START
        )
    assert expected == taken
    found = office.all("SELECT address FROM messages WHERE state = 'cancelled'")
    assert [(TO_SECOND,)] * expected == found


def test_what_was_handed_over_stays_as_it_is(office: Office) -> None:
    office.released(rows(3))
    with office.store.write() as connection:
        assert 3 == outbox.cancel_queued(connection, 1, now=START)
        assert 0 == outbox.leave_alone(
            connection, [TO_SECOND], owner=None, code="suppressed", now=START
        )
