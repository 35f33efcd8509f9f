"""No byte is sent that nobody but its author has approved, whatever was done in whatever order."""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from smsengine.clock import ManualClock
from smsengine.errors import LifecycleError, RefusedError, UsageError
from smsengine.service import approvals, sender
from smsengine.service.bootstrap import Engine
from smsengine.service.in_force import in_force
from smsengine.service.people import Actor
from smsengine.store.runs import Run
from tests.unit.service.bureau import AN, BINH, CHI, CONFIG, JOB, JUNE, NAME, WORDS, Bureau
from tests.unit.service.machine import begun

HOA = Actor(name="hoa", account="hoa", office="01-hanoi")
#: Who works for the Centre by now, and decides about what they handed in before.
MOVED = [Actor(name=each.name, account="x", office="central") for each in (AN, HOA)]
EVERYBODY = st.sampled_from([BINH, CHI, AN, HOA, *MOVED])
AUTHORS = st.sampled_from([AN, HOA])
#: How many days a notice may be sent for.
LASTING = st.sampled_from([100, 400])
REFUSALS = (RefusedError, UsageError, LifecycleError)


@dataclass(frozen=True)
class Content:
    """What tells one edition from another: a number in its words, and its last day."""

    words: int
    expires: date

    @property
    def job(self) -> str:
        return JOB.replace("expires: 2019-12-31", f"expires: {self.expires}")

    @property
    def template(self) -> str:
        return WORDS.replace("đã xong", f"đã xong bước {self.words}")


@dataclass(frozen=True)
class Planned:
    """A run that was not released yet, with what it was planned from."""

    run: Run
    content: Content
    approval: int


class Life(RuleBasedStateMachine):
    """Authors edit and hand in, the Centre decides, days pass; beside it, what should be so."""

    def __init__(self) -> None:
        super().__init__()
        self.open = ExitStack()
        folder = Path(self.open.enter_context(tempfile.TemporaryDirectory()))
        for name in ("data", "jobs", "templates"):
            (folder / name).mkdir()
        config = CONFIG.format(database="sqlite:///ledger.db").replace("daily: 5", "daily: 900")
        (folder / "config.yaml").write_text(config, encoding="utf-8")
        clock = ManualClock(datetime(2019, 6, 1, 2, tzinfo=UTC))
        self.bureau = Bureau(begun(Engine(folder / "config.yaml", clock=clock)))
        self.open.callback(self.bureau.engine.store.close)
        self.waiting: tuple[Content, Actor] | None = None
        self.in_force: Content | None = None
        self.approvals = self.withdrawn = 0
        self.planned: Planned | None = None
        self.people, self.sent = 0, 0

    def teardown(self) -> None:
        self.open.close()

    @initialize()
    def begin(self) -> None:
        self.edit(0, 400)

    @rule(words=st.integers(0, 3), days=LASTING)
    def edit(self, words: int, days: int) -> None:
        self.disk = Content(words, self.bureau.engine.today + timedelta(days=days))
        self.write()

    def write(self) -> None:
        self.people += 1
        row = f"001,A{self.people},Ông Vi Du,09{self.people:08d}"
        self.bureau.write(self.disk.job, self.disk.template, [row])

    @rule(author=AUTHORS)
    def submit(self, author: Actor) -> None:
        try:
            self.bureau.submit(author)
        except REFUSALS:
            return
        self.waiting = (self.disk, author)

    @precondition(lambda self: self.waiting is not None)
    @rule(actor=EVERYBODY)
    def approve(self, actor: Actor) -> None:
        try:
            self.bureau.approve(actor)
        except REFUSALS:
            return
        assert self.waiting is not None
        content, author = self.waiting
        assert ("central", True) == (actor.office, actor.name != author.name)
        self.in_force, self.waiting = content, None
        self.approvals += 1

    @precondition(lambda self: self.waiting is not None)
    @rule(actor=EVERYBODY)
    def reject(self, actor: Actor) -> None:
        try:
            shown = approvals.waiting(self.bureau.engine, NAME)
            approvals.reject(self.bureau.engine, shown, actor, reason="no")
        except REFUSALS:
            return
        self.waiting = None

    @precondition(lambda self: self.in_force is not None)
    @rule(actor=EVERYBODY)
    def withdraw(self, actor: Actor) -> None:
        try:
            approvals.withdraw(self.bureau.engine, NAME, actor, reason="no")
        except REFUSALS:
            return
        if self.in_force is not None:
            self.withdrawn = self.approvals  # and with it all that it replaced
        self.waiting = self.in_force = None

    @rule(is_marked=st.booleans())
    def time_passes(self, *, is_marked: bool) -> None:
        """So many days that the shorter last day passes, marked by the duty or not."""
        self.bureau.wait(days=110)
        if is_marked:
            approvals.expire(self.bureau.engine, self.bureau.engine.today)

    def is_good(self, content: Content | None) -> bool:
        return content is not None and content.expires >= self.bureau.engine.today

    @rule(author=AUTHORS, decider=EVERYBODY, words=st.integers(0, 3))
    def hand_in_and_approve(self, author: Actor, decider: Actor, words: int) -> None:
        """The usual way, after which there is something to lose; not always by the usual one."""
        self.edit(words, 400)
        self.submit(author)
        for actor in (decider, BINH):
            if self.waiting is not None:
                self.approve(actor)

    @rule(meanwhile=st.sampled_from(["withdrawn", "over", "replaced", "waiting", "nothing"]))
    def plan_and_send(self, meanwhile: str) -> None:
        """A run, and what happens to its notice between planning and sending."""
        if not self.is_good(self.in_force):
            self.hand_in_and_approve(AN, BINH, self.disk.words + 1)
        if meanwhile == "waiting":
            self.hand_in_beside()
        self.plan()
        if meanwhile == "withdrawn" and self.in_force is not None:
            self.withdraw(BINH)
        if meanwhile == "over":
            self.bureau.wait(days=401)
        if meanwhile == "replaced":
            self.hand_in_and_approve(AN, BINH, self.disk.words + 1)
        if self.planned is not None:
            self.send()

    def hand_in_beside(self) -> None:
        """Another edition waits beside the one in force."""
        self.edit(self.disk.words + 1, 400)
        self.submit(AN)

    @rule()
    def plan(self) -> None:
        self.write()
        try:
            run = self.bureau.plan()
        except REFUSALS:
            assert not self.is_good(self.in_force)
            return
        assert self.in_force is not None
        self.planned = Planned(run=run, content=self.in_force, approval=self.approvals)

    @precondition(lambda self: self.planned is not None)
    @rule()
    def send(self) -> None:
        assert self.planned is not None
        planned, self.planned = self.planned, None
        may = self.is_good(planned.content) and planned.approval > self.withdrawn
        try:
            sender.send_run(self.bureau.engine, planned.run, sender.Watch())
        except REFUSALS:
            assert not may
            return
        assert may
        self.sent += 1
        assert f"da xong buoc {planned.content.words}." in self.texts()[-1]

    @rule(is_labelled=st.booleans())
    def forge(self, *, is_labelled: bool) -> None:
        """What lies on the disk goes straight to the planner, as if it were what is in force."""
        self.write()
        loaded = self.bureau.engine.job(NAME)
        loaded.read_all()
        if is_labelled and self.is_good(self.in_force):
            number = in_force(self.bureau.engine, NAME).version
            loaded = loaded.model_copy(update={"version": number})
        try:
            request = sender.Request(loaded=loaded, period=JUNE)
            sender.plan(self.bureau.engine, request, sender.Watch())
        except REFUSALS:
            return
        assert self.disk == self.in_force

    def texts(self) -> list[str]:
        return [json.loads(line)["text"] for line in self.bureau.outbox()]

    @invariant()
    def nothing_else_is_sent(self) -> None:
        assert self.sent == len(self.bureau.outbox())


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=25, stateful_step_count=15, deadline=None, derandomize=True
)
