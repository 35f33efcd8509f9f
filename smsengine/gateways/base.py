"""The contract of a gateway: what it can, what it is given, what it may answer.

An adapter hands over and says what the answer means. It never retries, never sleeps, never decides
what happens next, and never logs a text or a number. Before the first byte of a message leaves it
asks for clearance; the lane behind it keeps the pace, writes the flight journal, and may say no.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Generic, NamedTuple, Protocol, TypeVar

from smsengine.clock import Clock
from smsengine.config.yaml import Model


class OutcomeKind(StrEnum):
    """What an answer means, in our own words."""

    #: the gateway took responsibility
    ACCEPTED = "accepted"
    #: the gateway says that it has this message already
    DUPLICATE = "duplicate"
    #: it will not be sent
    REJECTED = "rejected"
    #: surely not accepted, because of the rate
    THROTTLED = "throttled"
    #: surely not accepted before a certain time
    DEFERRED = "deferred"
    #: surely not accepted; may be tried again
    TRANSIENT = "transient"
    #: may or may not have been accepted
    UNKNOWN = "unknown"


class Scope(StrEnum):
    """Whose fault a rejection is."""

    RECIPIENT = "recipient"
    CONTENT = "content"
    SENDER = "sender"
    ACCOUNT = "account"
    CALLER = "caller"


class Outcome(NamedTuple):
    """The answer to one hand-over. ``code`` is the gateway's own, ``detail`` is for people.

    ``part_ids`` are the gateway's names of the parts of a long message, where each part gets a
    receipt of its own; the first of them is the ``gateway_id``. ``incident`` names what went wrong
    for several messages at once, such as a broken connection: it is one failure of the gateway.
    """

    kind: OutcomeKind
    scope: Scope | None = None
    gateway_id: str | None = None
    code: str = ""
    detail: str = ""
    retry_after_seconds: float | None = None
    not_before: datetime | None = None
    part_ids: tuple[str, ...] = ()
    incident: str = ""


#: The answer of an adapter for a message that got no clearance: no byte of it left.
HELD_BACK = Outcome(kind=OutcomeKind.TRANSIENT, code="held-back")


class TemplateUse(NamedTuple):
    """A text as a vendor's registered template: its id, and name and value of each parameter.

    The parameters stand in the template's order; rendered, they give the message's text.
    """

    id: str
    params: tuple[tuple[str, str], ...] = ()


class Outbound(NamedTuple):
    """One message on its way; ``reference`` is our stable name for it, 35 safe characters.

    ``address`` is E.164, or an e-mail address on a gateway of that channel.
    """

    reference: str
    address: str
    network: str
    text: str
    segments: int
    template: TemplateUse | None = None


#: Asked with the messages whose first byte is about to leave together, once for each message.
#: It may wait for their turn. Where it says False, not a byte of them may be written.
Clearance = Callable[[Sequence[Outbound]], bool]


class ReceiptStatus(StrEnum):
    """What a receipt says about an accepted message."""

    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    #: on its way; nothing is final
    IN_TRANSIT = "in-transit"


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """What the gateway or the telco says later.

    It names the message by the gateway's name for it, by our reference, or by both; one of them may
    be empty. A name of a part of a long message is as good. ``aliases`` are further spellings of
    that name, of which exactly one may fit.
    """

    gateway_id: str
    status: ReceiptStatus
    code: str = ""
    reference: str = ""
    aliases: tuple[str, ...] = ()
    #: what came, as it came, without secrets, texts and whole numbers; cut to ``MOST_RAW``
    raw: str = field(default="", compare=False)


#: Characters of a raw receipt that are kept.
MOST_RAW = 2000


class Asked(NamedTuple):
    """A message that was accepted and of which nothing was heard since."""

    gateway_id: str
    reference: str
    address: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Callback:
    """An HTTP request that a gateway makes to us, as it came.

    ``token`` is the last part of its path, ``url`` the whole address as the gateway sees it, and
    ``remote`` the IP address it came from.
    """

    method: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    token: str = ""
    url: str = ""
    remote: str = ""

    def header(self, name: str) -> str | None:
        """A header by its name, in any case."""
        return next((v for key, v in self.headers.items() if key.lower() == name.lower()), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Acknowledgement:
    """What a gateway expects as the answer to its callback."""

    status: int = 200
    body: str = ""
    content_type: str = "text/plain"


@dataclass(frozen=True, kw_only=True, slots=True)
class Balance:
    """What is left on the account."""

    amount: int
    currency: str
    at: datetime


class RegisteredTemplate(NamedTuple):
    """A template as the vendor has it: its id, and its text with ``{P2,50}`` for parameters.

    ``network`` is empty where the vendor keeps one list for all networks.
    """

    id: str
    network: str
    text: str


class Channel(StrEnum):
    """What the addresses of a gateway are."""

    PHONE = "phone"
    EMAIL = "email"


@dataclass(frozen=True, kw_only=True, slots=True)
class Capabilities:
    """What a gateway can, as data."""

    #: messages in one ``send``
    max_batch: int
    #: how many ``send`` may be at work at once
    concurrency: int = 1
    #: ``query`` says for certain whether a reference was taken
    can_query: bool = False
    #: … so many seconds after its hand-over at the earliest: until then it may still be taken
    query_after_seconds: int = 0
    #: ``receipts`` yields something
    has_receipts: bool = False
    #: ``balance`` yields something
    has_balance: bool = False
    #: ``registered_templates`` yields something
    lists_templates: bool = False
    #: ``reports`` yields something
    can_report: bool = False
    #: it takes a registered template and its parameters, and no text
    needs_template: bool = False
    #: a refused recipient may be told through the next gateway of the route
    falls_back: bool = False
    #: what its addresses are
    channel: Channel = Channel.PHONE
    #: for so many seconds after the first hand-over a repeated reference is surely not sent twice
    idempotency_seconds: int = 0


class Gateway(ABC):
    """One way out. What its capability sheet does not promise need not be written."""

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """The capability sheet."""

    @abstractmethod
    def send(self, batch: Sequence[Outbound], clear: Clearance) -> Sequence[Outcome]:
        """Hand messages over.

        Several threads may call it at once.

        Args:
            batch: at most ``max_batch`` messages.
            clear: asked just before the first byte of messages leaves; messages that are not
                cleared are answered with ``HELD_BACK``.

        Returns:
            One outcome for each message, in the same order; it never raises for one message.
        """

    def check(self) -> str:
        """Look whether the gateway could be used now, without sending anything.

        Returns:
            What was found, in a few words.

        Raises:
            GatewayError: one sentence with what is wrong: address, key, network.
        """
        return "opens"

    def query(self, references: Sequence[str]) -> Sequence[Outcome | None]:
        """Ask what became of earlier hand-overs.

        Returns:
            For each reference its outcome, or None when the gateway surely never took it.
        """
        raise NotImplementedError

    def balance(self) -> Balance:
        """What is left on the account.

        Raises:
            GatewayError: it cannot be told now.
        """
        raise NotImplementedError

    def registered_templates(self, sender: str) -> Sequence[RegisteredTemplate]:
        """The templates that the vendor has registered for a sender's name.

        Args:
            sender: the brandname; empty for the one that the gateway's configuration names.

        Raises:
            GatewayError: they cannot be told now.
        """
        raise NotImplementedError

    def receipts(self) -> Sequence[Receipt]:
        """Receipts that have come since the last call."""
        return ()

    def stored(self, receipts: Sequence[Receipt]) -> None:  # noqa: ARG002 - for overriding
        """Told which of its receipts are in the ledger now: only then may they be acknowledged."""
        return

    def listen(self, wake: Callable[[], None]) -> None:  # noqa: ARG002 - for overriding
        """Take what to call when receipts have come by themselves; ``receipts`` is called then."""
        return

    def reports(self, asked: Sequence[Asked]) -> Sequence[Receipt]:
        """Ask what became of accepted messages; whatever is not known yet is left out.

        Raises:
            GatewayError: it cannot be told now.
        """
        raise NotImplementedError

    def verify_callback(self, callback: Callback) -> bool:  # noqa: ARG002 - for overriding
        """Say whether a callback really is this gateway's; pure."""
        return False

    def parse_callback(
        self,
        callback: Callback,  # noqa: ARG002 - for overriding
    ) -> tuple[Sequence[Receipt], Acknowledgement]:
        """Read the receipts out of a callback, and say how it is answered; pure.

        Raises:
            ValueError: it is not one of this gateway's.
        """
        raise ValueError("This gateway sends no callbacks.")

    @abstractmethod
    def close(self) -> None:
        """Let go of files and connections."""


class Vault(Protocol):
    """Keeps a gateway's changing secret, sealed, for all machines."""

    def read(self) -> str | None:
        """What was kept last; None at first."""

    def replace(self, renew: Callable[[str | None], str]) -> str:
        """Change the secret, one machine at a time.

        Args:
            renew: called with what is kept at that moment; gives what is kept from now on, or the
                same when somebody else was quicker. What it raises is raised.

        Returns:
            What is kept now, durably.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """What an adapter gets from the installation that it stands in."""

    #: the gateway's name in the configuration
    name: str
    #: where relative paths start
    folder: Path
    clock: Clock
    vault: Vault


OptionsT = TypeVar("OptionsT", bound=Model)


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind(Generic[OptionsT]):
    """A kind of gateway: the keys of its configuration, and how it is opened.

    A plug-in names one of these under the entry point ``smsengine.gateways``.
    """

    options: type[OptionsT]
    #: Raises GatewayError: it cannot be opened, e.g. its file cannot be written.
    open: Callable[[OptionsT, Site], Gateway]
    #: what the addresses of such gateways are, as their sheets say: a job is judged by it when it
    #: is read, and nothing is opened for that
    channel: Channel = Channel.PHONE
    #: they take a registered template and no text, as their sheets say
    needs_template: bool = False
