"""Whose receipt it is: parts, spellings, our own name, names that are given again."""

from __future__ import annotations

import pytest

from smsengine.gateways.base import MOST_RAW, Receipt, ReceiptStatus
from smsengine.lifecycle import MessageState
from smsengine.receipts.matching import Target, choose, match_parked, store_receipts
from smsengine.store import messages, parts
from smsengine.store.receipts import Named
from tests.conftest import Office, rows

DELIVERED, UNDELIVERED = ReceiptStatus.DELIVERED, ReceiptStatus.UNDELIVERED


@pytest.fixture
def sent(office: Office) -> Office:
    """Two accepted messages, ``A-1`` in the parts ``A-1`` and ``A-2``, and ``255`` in one."""
    office.released(rows(2))
    office.change(
        "UPDATE messages SET state = 'accepted', gateway = 'trial', settled_at = due_at,"
        " gateway_id = CASE WHEN place = 1 THEN 'A-1' ELSE '255' END"
    )
    ((first,), (second,)) = office.all("SELECT id FROM messages ORDER BY place")
    with office.store.write() as connection:
        parts.name(connection, "trial", {first: ("A-1", "A-2"), second: ("255",)})
    return office


def receive(office: Office, *received: Receipt) -> list[str]:
    """Receipts come; the states afterwards."""
    store_receipts(office.store, "trial", received, office.clock.now())
    return office.states()


def of(name: str, status: ReceiptStatus = DELIVERED, **more: object) -> Receipt:
    return Receipt(gateway_id=name, status=status, **more)  # type: ignore[arg-type]


def reference(office: Office, place: int) -> str:
    ((key, revision),) = office.all(
        "SELECT dedup_key, revision FROM messages WHERE place = ?", place
    )
    return messages.reference(bytes(key), revision)


def test_a_single_part_is_no_part(sent: Office) -> None:
    """The name of a short message stands in its own row alone."""
    assert [("A-1",), ("A-2",)] == sent.all("SELECT part_id FROM parts ORDER BY part_id")


def test_a_message_has_arrived_when_all_its_parts_have(sent: Office) -> None:
    """Of one that stays silent the message stays accepted."""
    assert "accepted" == receive(sent, of("A-2"))[0]
    assert "delivered" == receive(sent, of("A-1"))[0]


def test_a_part_that_does_not_arrive_takes_the_message_with_it(sent: Office) -> None:
    """Half a text is none."""
    assert "accepted" == receive(sent, of("A-1"))[0]
    assert "undelivered" == receive(sent, of("A-2", UNDELIVERED))[0]
    assert "delivered" == receive(sent, of("A-2"))[0]


def test_an_old_name_belongs_to_the_newest_part(sent: Office) -> None:
    """A gateway that counts anew gives names again."""
    receive(sent, of("A-1"))
    ((second,),) = sent.all("SELECT id FROM messages WHERE place = 2")
    with sent.store.write() as connection:
        parts.name(connection, "trial", {second: ("A-2", "A-1")})
    assert [(second, None), (second, None)] == sent.all("SELECT message_id, status FROM parts")


@pytest.mark.parametrize(
    ("spellings", "state"),
    [(("FF", "255"), "delivered"), (("00FF",), "accepted"), (("255", "A-2"), "accepted")],
)
def test_a_spelling_counts_when_it_fits_exactly_one_message(
    sent: Office, spellings: tuple[str, ...], state: str
) -> None:
    """None and several are no answer."""
    assert state == receive(sent, of("ff", aliases=spellings))[1]
    assert [(state == "delivered",)] == [
        (line[0] is not None,) for line in sent.all("SELECT message_id FROM receipts")
    ]


def test_a_spelling_is_tried_again_when_an_answer_was_settled(sent: Office) -> None:
    """What is parked keeps all its spellings."""
    sent.change("UPDATE messages SET gateway_id = NULL WHERE place = 2")
    assert "accepted" == receive(sent, of("ff", aliases=("FF", "255")))[1]
    sent.change("UPDATE messages SET gateway_id = '255' WHERE place = 2")
    assert 1 == match_parked(sent.store, "trial", sent.clock.now())
    assert "delivered" == sent.states()[1]


@pytest.mark.parametrize("name", ["", "V-9"])
def test_a_receipt_by_our_reference_while_the_message_is_sent(sent: Office, name: str) -> None:
    """It is found when the answer is there, also where that gives another name."""
    sent.change(
        "UPDATE messages SET state = 'sending', gateway_id = NULL, worker = 'w',"
        " lease_until = due_at WHERE place = 2"
    )
    mine = reference(sent, 2)
    assert "sending" == receive(sent, of(name, reference=mine))[1]
    sent.change(
        "UPDATE messages SET state = 'accepted', gateway_id = '255', worker = NULL WHERE place = 2"
    )
    assert 1 == match_parked(sent.store, "trial", sent.clock.now())
    assert "delivered" == sent.states()[1]


def test_a_stranger_is_not_looked_at_for_ever(sent: Office) -> None:
    """After ten minutes only where somebody asks for older ones."""
    receive(sent, of("late"))
    sent.change("UPDATE messages SET gateway_id = 'late' WHERE place = 2")
    came = sent.clock.now()
    sent.clock.sleep(700)
    assert 0 == match_parked(sent.store, "trial", sent.clock.now())
    since = came.replace(year=2018)
    assert 1 == match_parked(sent.store, "trial", sent.clock.now(), since=since)


def test_repetitions_are_counted(sent: Office) -> None:
    """In one answer and in several; what came first is kept as it came."""
    receive(sent, of("255", raw="first"), of("255", raw="second"))
    receive(sent, of("255", raw="third"))
    assert [(3, "first")] == sent.all("SELECT times, raw FROM receipts")


def test_what_came_is_cut(sent: Office) -> None:
    """However long, and whatever is in it."""
    receive(sent, of("255", raw="\0" + "x" * 5000))
    ((raw,),) = sent.all("SELECT raw FROM receipts")
    assert "?" + "x" * (MOST_RAW - 1) == raw


ACCEPTED, OLD = MessageState.ACCEPTED, MessageState.DELIVERED


@pytest.mark.parametrize(
    ("named", "referred", "expected"),
    [
        ([], None, None),
        ([], 3, Target(3)),
        ([Named("a", 1, ACCEPTED)], None, Target(1)),
        ([Named("a", 1, OLD)], None, Target(1)),
        ([Named("a", 1, OLD), Named("a", 2, ACCEPTED)], None, Target(2)),
        ([Named("a", 1, ACCEPTED), Named("a", 2, ACCEPTED)], None, None),
        ([Named("a", 1, ACCEPTED), Named("a", 2, ACCEPTED)], 2, Target(2)),
        ([Named("a", 1, ACCEPTED), Named("a", 1, ACCEPTED, "a")], None, Target(1, "a")),
        ([Named("a", 1, ACCEPTED, "a"), Named("b", 1, ACCEPTED, "b")], None, None),
    ],
)
def test_who_is_meant(named: list[Named], referred: int | None, expected: Target | None) -> None:
    """Our reference before names; of several messages the one of which more can be heard."""
    assert expected == choose(named, referred)


# -- names that an SMSC gives again after a while --------------------------------------------------


@pytest.fixture
def again(sent: Office) -> Office:
    """``255`` was told of a month ago, in whatever state, and is just given to the first one."""
    receive(sent, of("255"))
    sent.clock.sleep(30 * 86_400)
    sent.change(
        "UPDATE messages SET state = 'sending', gateway_id = NULL, worker = 'w',"
        " settled_at = NULL, lease_until = due_at WHERE place = 1"
    )
    return sent


def settle(office: Office) -> None:
    """The answer to the first one is written down."""
    office.change(
        "UPDATE messages SET state = 'accepted', gateway_id = '255', worker = NULL,"
        " settled_at = ? WHERE place = 1",
        office.clock.now(),
    )


@pytest.mark.parametrize("before", ["delivered", "accepted", "unconfirmed", "undelivered"])
@pytest.mark.parametrize("is_early", [True, False])
def test_a_name_that_is_given_again_speaks_of_the_newer_message(
    again: Office, before: str, is_early: bool
) -> None:
    """Also before its answer is settled, and when the same was said of the older one."""
    again.change("UPDATE messages SET state = ? WHERE place = 2", before)
    if is_early:
        assert ["sending", before] == receive(again, of("255"))
        settle(again)
        match_parked(again.store, "trial", again.clock.now())
    else:
        settle(again)
        receive(again, of("255"))
    assert ["delivered", before] == again.states()
    ((first,),) = again.all("SELECT id FROM messages WHERE place = 1")
    assert [(first, 2)] == again.all("SELECT message_id, times FROM receipts")


def test_a_reference_that_comes_again_with_an_old_name_is_the_new_one(again: Office) -> None:
    """A name may be given again, ours never."""
    assert "sending" == receive(again, of("255", reference=reference(again, 1)))[0]
    settle(again)
    again.change("UPDATE messages SET gateway_id = 'other' WHERE place = 1")
    assert 1 == match_parked(again.store, "trial", again.clock.now())
    assert "delivered" == again.states()[0]


def test_what_comes_very_late_finds_its_message_a_little_later(again: Office) -> None:
    """When nothing newer has got the name in the meantime."""
    again.change("UPDATE messages SET state = 'unconfirmed' WHERE place = 2")
    assert "unconfirmed" == receive(again, of("255", code="late"))[1]
    came = again.clock.now()
    assert 0 == match_parked(again.store, "trial", came, since=came.replace(year=2018))
    again.clock.sleep(700)
    now = again.clock.now()
    assert 1 == match_parked(again.store, "trial", now, since=came.replace(year=2018))
    assert "delivered" == again.states()[1]


def test_the_name_of_a_part_may_be_given_again(again: Office) -> None:
    """The older message keeps what was said of it."""
    ((first,), (second,)) = again.all("SELECT id FROM messages ORDER BY place")
    with again.store.write() as connection:
        parts.name(connection, "trial", {second: ("255", "256")})
    again.change("UPDATE messages SET state = 'unconfirmed' WHERE place = 2")
    assert ["sending", "unconfirmed"] == receive(again, of("255"), of("256"))
    settle(again)
    with again.store.write() as connection:
        parts.forget(connection, [first])
        parts.name(connection, "trial", {first: ("255", "256")})
    assert 1 == match_parked(again.store, "trial", again.clock.now())
    assert ["delivered", "unconfirmed"] == again.states()
