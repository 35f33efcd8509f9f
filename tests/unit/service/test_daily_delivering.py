"""Each table is delivered until it has arrived, and never again after that."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from smsengine.lifecycle import DeliveryState
from smsengine.service.bootstrap import Engine
from smsengine.service.daily_delivering import Came, Courier, pause
from smsengine.store import daily_deliveries
from tests.unit.payments.sftp_peer import USER, sftp_server
from tests.unit.payments.sheets_of_day import total_of
from tests.unit.service.collectors import YESTERDAY, Collectors
from tests.unit.service.listeners import MailBook, mail_server

MINUTE = timedelta(minutes=1)
MAIL = "{kind: email, to: thu@example.vn}"
OTHER_MAIL = "{kind: email, to: khac@example.vn}"
Open = Callable[..., Collectors]


@pytest.fixture
def book() -> Iterator[MailBook]:
    with mail_server() as opened:
        yield opened


@pytest.fixture
def mailed(open_collectors: Open, book: MailBook) -> Collectors:
    """Both organisations get their tables by mail; they are made, and not delivered yet."""
    collectors = open_collectors(MAIL, OTHER_MAIL, book.port)
    collectors.pay("R1", 300)
    collectors.tables.make_all(YESTERDAY)
    return collectors


def test_a_table_goes_to_whom_it_is_for(mailed: Collectors, book: MailBook) -> None:
    """And is acknowledged, with what the other side said."""
    assert Came(arrived=2) == mailed.courier.deliver_due()
    assert [["khac@example.vn"], ["thu@example.vn"]] == sorted(book.sent_to)
    assert ["acknowledged"] * 2 == mailed.states()
    assert {"250 by the mail server"} == {each.said for each in mailed.deliveries()}


def test_what_was_acknowledged_is_never_delivered_again(mailed: Collectors, book: MailBook) -> None:
    """Neither by the clock nor by hand."""
    mailed.courier.deliver_due()
    mailed.clock.sleep(3600)
    assert Came() == mailed.courier.deliver_due()
    assert Came() == mailed.courier.deliver_again(mailed.made())
    assert 2 == len(book.mails)


def test_an_organisation_may_have_several_ways(open_collectors: Open, book: MailBook) -> None:
    """One that fails keeps the others from nothing, and alone is tried again."""
    collectors = open_collectors(f"{MAIL}, {OTHER_MAIL}, {{kind: folder, path: ''}}", "", book.port)
    book.refused.add("thu@example.vn")
    collectors.tables.make_all(YESTERDAY)
    assert Came(arrived=3, failed=1) == collectors.courier.deliver_due()
    book.refused.clear()
    collectors.clock.sleep(60)
    assert Came(arrived=1) == collectors.courier.deliver_due()
    assert 2 == len(book.mails)


def test_a_file_is_made_again_where_it_is_not_there(mailed: Collectors, book: MailBook) -> None:
    """The machine that made it may be gone."""
    other = Courier(mailed.engine, mailed.tables)
    other.deliver_due()
    sizes = {len(each.get_content()) for mail in book.mails for each in mail.iter_attachments()}
    assert min(sizes) > 5_000


@pytest.mark.parametrize(
    ("tries", "minutes"), [(1, 1), (2, 2), (4, 8), (5, 15), (24, 15), (25, 60), (1000, 60)]
)
def test_it_is_tried_again_ever_more_seldom(tries: int, minutes: int) -> None:
    """Every quarter of an hour past eight o'clock, then every hour, and never given up."""
    assert minutes * MINUTE == pause(tries)


def test_a_failure_is_put_off(mailed: Collectors, book: MailBook) -> None:
    """A minute later it is tried again; what went wrong stands in the ledger."""
    book.instead = "451 come back later"
    assert Came(failed=2) == mailed.courier.deliver_due()
    assert Came() == mailed.courier.deliver_due()
    book.instead = ""
    assert all("451 come back later" in each.said for each in mailed.deliveries())
    mailed.clock.sleep(60)
    assert Came(arrived=2) == mailed.courier.deliver_due()


def test_by_hand_it_is_tried_at_once(mailed: Collectors, book: MailBook) -> None:
    """Whoever has mended something does not wait."""
    book.instead = "451 come back later"
    mailed.courier.deliver_due()
    book.instead = ""
    assert Came(arrived=2) == mailed.courier.deliver_again(mailed.made())


def test_a_server_that_is_away_is_tried_once_at_a_time(open_collectors: Open) -> None:
    """All else that goes there is put off with it."""
    collectors = open_collectors(MAIL, OTHER_MAIL, 1)
    collectors.tables.make_all(YESTERDAY)
    assert Came(failed=2) == collectors.courier.deliver_due()
    said = {each.said for each in collectors.deliveries()}
    assert 1 == len(said)
    assert "The mail server localhost cannot be used" in said.pop()


def test_nothing_more_is_begun_when_the_time_is_over(mailed: Collectors, book: MailBook) -> None:
    """Other duties wait for this one."""
    assert Came() == mailed.courier.deliver_due(within=timedelta(0))
    assert [] == book.mails


# -- processes that end, and two at once -----------------------------------------------------------


class EndedError(BaseException):
    """The process ends here."""


def ending(collectors: Collectors) -> Courier:
    """One that ends when a table is with the other side, and before that is written down."""

    def end(point: str) -> None:
        if point == "carried":
            raise EndedError

    return Courier(collectors.engine, collectors.tables, at=end)


def test_a_delivery_of_a_process_that_ended_is_taken_up(mailed: Collectors, book: MailBook) -> None:
    """When its claim has lapsed, and not before: another one may be at it. The mail is the same."""
    with pytest.raises(EndedError):
        ending(mailed).deliver_due()
    assert 1 == len(book.mails)
    assert Came(arrived=1) == mailed.courier.deliver_due()
    assert Came() == mailed.courier.deliver_again(mailed.made())
    mailed.clock.sleep(600)
    assert Came(arrived=1) == mailed.courier.deliver_due()
    assert 2 == len({mail["Message-ID"] for mail in book.mails})


def test_a_table_in_a_folder_is_there_once(collectors: Collectors) -> None:
    """Whatever happens after it was put there."""
    collectors.pay("R1", 300)
    collectors.tables.make_all(YESTERDAY)
    with pytest.raises(EndedError):
        ending(collectors).deliver_due()
    collectors.clock.sleep(600)
    assert Came(arrived=2) == collectors.courier.deliver_due()
    outbox = collectors.engine.folder / "outbox" / "payments"
    assert [300, 0] == [total_of(path) for path in sorted(outbox.iterdir())]


def test_two_at_once_deliver_each_table_once(open_collectors: Open, book: MailBook) -> None:
    """Whoever claims it first has it."""
    collectors = open_collectors(MAIL, OTHER_MAIL, book.port)
    for day in range(8):
        collectors.pay(f"R{day}", 100, YESTERDAY - timedelta(days=day))
    collectors.tables.make_all(YESTERDAY)
    begin = threading.Barrier(2)
    came: list[Came] = []

    def deliver() -> None:
        begin.wait()
        came.append(Courier(collectors.engine, collectors.tables).deliver_due())

    threads = [threading.Thread(target=deliver) for _each in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Came(arrived=9) == sum(came, Came())
    assert (9, 9) == (len(book.mails), len({mail["Message-ID"] for mail in book.mails}))


def test_who_was_too_slow_changes_nothing(mailed: Collectors) -> None:
    """A failure of before is not written over what another one has made of it since."""
    with mailed.engine.store.read() as connection:
        due = daily_deliveries.due(connection, now=mailed.clock.now(), limit=9)[0]
    now = mailed.clock.now()
    with mailed.engine.store.write() as connection:
        slow = daily_deliveries.claim(connection, due, until=now)
        assert slow is not None
        quick = daily_deliveries.claim(connection, slow, until=now)
        assert quick is not None
        assert None is daily_deliveries.claim(connection, due, until=now)
        assert not daily_deliveries.put_off(connection, slow, until=now, said="late")
        state = DeliveryState.ACKNOWLEDGED
        assert daily_deliveries.settle(connection, quick, state, at=now, said="250")
        assert not daily_deliveries.settle(connection, slow, state, at=now, said="250")
        assert not daily_deliveries.put_off(connection, quick, until=now, said="late")


# -- the configuration changes ---------------------------------------------------------------------


def changed(collectors: Collectors, before: str, after: str) -> Collectors:
    config = collectors.engine.config
    config.write_text(config.read_text("utf-8").replace(before, after), encoding="utf-8")
    made = Engine(config, clock=collectors.clock)
    made.store = collectors.engine.store
    return Collectors(made)


def test_an_address_that_was_wrong_is_given_up_for_the_right_one(
    mailed: Collectors, book: MailBook
) -> None:
    """What has not arrived goes where the configuration says now."""
    book.refused.add("thu@example.vn")
    mailed.courier.deliver_due()
    mended = changed(mailed, "thu@example.vn", "right@example.vn")
    mended.clock.sleep(60)
    mended.courier.deliver_due()
    mended.courier.deliver_due()
    assert [["khac@example.vn"], ["right@example.vn"]] == sorted(book.sent_to)
    assert ["acknowledged", "acknowledged", "dropped"] == sorted(mended.states())


def test_a_new_way_gets_tables_of_before_by_hand_only(mailed: Collectors, book: MailBook) -> None:
    """The clock delivers what is made from now on."""
    mailed.courier.deliver_due()
    added = changed(mailed, f"deliver: [{MAIL}]", f"deliver: [{MAIL}, {OTHER_MAIL}]")
    assert Came() == added.courier.deliver_due()
    assert Came(arrived=1) == added.courier.deliver_again(added.made())


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("key: 'file:none.key', known_hosts: none", "known_hosts: the file"),
        ("key: 'file:none.key', known_hosts: config.yaml", "none.key cannot be read"),
    ],
)
def test_what_is_missing_for_a_way_is_said(open_collectors: Open, way: str, said: str) -> None:
    """In the ledger, where the command shows it; nothing else is kept from arriving."""
    collectors = open_collectors(f"{{kind: sftp, host: localhost, user: bhxh, {way}}}")
    collectors.tables.make_all(YESTERDAY)
    assert Came(arrived=1, failed=1) == collectors.courier.deliver_due()
    assert said in collectors.deliveries()[0].said


def test_a_table_goes_by_sftp_as_the_configuration_says(
    open_collectors: Open, tmp_path: Path
) -> None:
    """With a key that is a secret, to a server whose own key is known."""
    with sftp_server(tmp_path / "there") as book:
        way = f"kind: sftp, host: localhost, port: {book.port}, user: {USER}"
        proof = "key: 'file:sftp.key', known_hosts: known_hosts"
        collectors = open_collectors(f"{{{way}, {proof}}}")
        book.known_hosts(collectors.engine.folder / "known_hosts")
        (collectors.engine.folder / "sftp.key").write_bytes(book.client_key.export_private_key())
        collectors.pay("R1", 300)
        collectors.tables.make_all(YESTERDAY)
        assert Came(arrived=2) == collectors.courier.deliver_due()
        (name,) = book.names()
        assert 300 == total_of(book.folder / name)
