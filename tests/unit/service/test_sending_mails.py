"""A job whose recipients are e-mail addresses, from its extract to a real mail server."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from smsengine.errors import ConfigError
from smsengine.gateways.base import OutcomeKind
from smsengine.period import Period
from smsengine.service import sender, trying
from smsengine.service.bootstrap import Engine
from smsengine.service.sender import Request, Watch
from smsengine.store import skips
from smsengine.store.engine import Store
from tests.unit.service.listeners import MailBook, mail_server

CONFIG = """\
database: sqlite:///ledger.db
gateways:
  mail:
    kind: email
    host: localhost
    port: {port}
    tls: none
    sender: thongbao@bhxh.example.vn
    subject: Ket qua dong BHXH
    prices: [{{from: 2019-01-01, per_segment: 0}}]
"""
JOB = """\
title: Kết quả đóng
topic: c12-statement
schedule: {{day: 1, at: "08:00"}}
period: current-month
source: {{kind: csv, path: "c12-{{period}}.csv"}}
columns:
  code: {{from: ma, type: code}}
  name: {{from: ten}}
  paid: {{from: so_tien, type: money}}
recipient: {{subject: code, {recipients}: [dien_thoai]}}
gateway: mail
guards: {{money: paid, max_cost: 1.000.000}}
"""
LINES = (
    "TA1,Công ty A,1000000,ke.toan@A.example.vn;giam.doc@a.example.vn",
    "TA2,Công ty B,2000000,0912345678",
    'TA3,Công ty C,3000000,"a@example.vn\nBcc: all@example.vn"',
)


@pytest.fixture
def server() -> Iterator[MailBook]:
    with mail_server() as book:
        yield book


@pytest.fixture
def engine(installation: Callable[..., Engine], server: MailBook) -> Engine:
    """An installation whose notices are mails."""
    config, job = CONFIG.format(port=server.port), JOB.format(recipients="emails")
    made = installation(*LINES, job=job, config=config)
    made.prepare(Store(made.settings.database))
    return made


def test_each_good_address_gets_one_mail(engine: Engine, server: MailBook) -> None:
    """And each bad cell a sentence; rows tie."""
    request = Request(loaded=engine.job("c12-statement"), period=Period.parse("2019-06"))
    planned = sender.plan(engine, request, Watch())
    assert planned.run is not None
    sender.send_run(engine, planned.run, Watch())
    assert [["giam.doc@a.example.vn"], ["ke.toan@a.example.vn"]] == sorted(server.sent_to)
    assert {"Kinh gui Cong ty A: da dong 1.000.000 dong thang 06/2019."} == {
        mail.get_content().strip() for mail in server.mails
    }
    run = planned.run
    assert (3, 1, 2, 2, 0) == (
        run.source_rows,
        run.extra_recipients,
        run.messages,
        run.skips,
        run.cost,
    )
    with engine.store.read() as connection:
        found = [*skips.find(connection, "TA2", 9), *skips.find(connection, "TA3", 9)]
    assert ["bad-email", "bad-email"] == [each["reason"] for each in found]


def test_a_test_text_goes_to_an_address(engine: Engine, server: MailBook) -> None:
    """``gateways test`` knows the channel."""
    trial = trying.prepare(engine, "mail", "ke.toan@a.example.vn")
    assert trial.to == "ke***@a.example.vn"
    assert trying.send(engine, trial, actor="lan").kind is OutcomeKind.ACCEPTED
    assert server.mails[0].get_content().startswith("TEST smsengine, mail, ")


def test_phones_do_not_go_through_a_gateway_of_mails(
    installation: Callable[..., Engine], server: MailBook
) -> None:
    """Refused when the job is read."""
    job = JOB.format(recipients="phones")
    engine = installation(*LINES, job=job, config=CONFIG.format(port=server.port))
    with pytest.raises(ConfigError, match="gateway: leads to mail, which writes e-mails"):
        engine.job("c12-statement")
