"""Viettel "bulkapi": customer care by brandname over SOAP 1.1, one message a request.

By the bulkapi specification that a reseller publishes: wsCpMt and checkBalance. Refusals come as
sentences with changing ends. The vendor gives a message no name, its ``RequestID`` need not be
unique, and there are neither reports nor questions: a doubt stays a doubt.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal
from xml.sax.saxutils import escape

from pydantic import Field

from smsengine.config.secret import SecretField
from smsengine.gateways.base import Capabilities, Kind, Outbound, Outcome, OutcomeKind, Scope
from smsengine.gateways.http_exchange import Reply, Request
from smsengine.gateways.http_gateway import Vendor
from smsengine.gateways.http_options import Url
from smsengine.gateways.http_outcomes import default_outcome, unmapped, unreadable
from smsengine.gateways.http_reading import amount
from smsengine.gateways.http_transport import TransportOptions, open_http
from smsengine.gateways.http_xml import leaves

_REJECTED = OutcomeKind.REJECTED
#: What a ``message`` holds: what it means, the first that fits. One without any is a refusal.
MESSAGES: Sequence[tuple[str, OutcomeKind, Scope | None]] = (
    ("DUPLICATE MESSAGE", OutcomeKind.DUPLICATE, None),
    ("Check information error", OutcomeKind.UNKNOWN, None),
    ("CP_CODE_NOT_FOUND", _REJECTED, Scope.ACCOUNT),
    ("WRONG_INFORMATION_AUTHENTICATE", _REJECTED, Scope.ACCOUNT),
    ("IP_INVALID", _REJECTED, Scope.ACCOUNT),
    ("Authenticate: ", _REJECTED, Scope.ACCOUNT),
    ("Check RequestID: NULL_OR_BLANK", _REJECTED, Scope.CALLER),
    ("REQUEST_ID_NOT_NUMBER", _REJECTED, Scope.CALLER),
    ("Check UserID: NULL_OR_BLANK", _REJECTED, Scope.CALLER),
    ("UserID_NOT_EQUAL_ReceiverID", _REJECTED, Scope.CALLER),
    ("Check CommandCode: NULL_OR_BLANK", _REJECTED, Scope.CALLER),
    ("COMMAND_CODE_ERROR", _REJECTED, Scope.CALLER),
    ("Check ReceiverID: NULL_OR_BLANK", _REJECTED, Scope.RECIPIENT),
    ("Check ReceiverID: FORMAT_ERROR", _REJECTED, Scope.RECIPIENT),
    ("Length of ReceiverID is invalid", _REJECTED, Scope.RECIPIENT),
    ("Unable to check telco from input receiver", _REJECTED, Scope.RECIPIENT),
    ("Check ServiceID: ALIAS_INVALID", _REJECTED, Scope.SENDER),
    ("Check Content: NULL_OR_BLANK", _REJECTED, Scope.CONTENT),
    ("MAXLENGTH_LIMIT", _REJECTED, Scope.CONTENT),
    ("MSG_ERROR_CONTAIN_BLACKLIST", _REJECTED, Scope.CONTENT),
    ("CONTENT_NOT_MATCH_TEMPLATE", _REJECTED, Scope.CONTENT),
)
_QUEUED = "1"
_REFUSED = "0"
_SPACE = "http://impl.bulkSms.ws/"
_ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
    ' xmlns:impl="' + _SPACE + '"><soapenv:Header/><soapenv:Body>'
    "<impl:{operation}>{fields}</impl:{operation}></soapenv:Body></soapenv:Envelope>"
)


class Options(TransportOptions):
    """Keys of a gateway of kind ``viettel``."""

    user: str = Field(min_length=1)
    password: SecretField
    cp_code: str = Field(min_length=1, description="the contract's CPCode")
    brandname: str = Field(min_length=1, max_length=11, description="the ServiceID")
    command_code: str = Field(default="bulksms", min_length=1)
    operation: Literal["wsCpMt", "wsCpMt2"] = Field(default="wsCpMt")
    balance_field: str = Field(
        default="balance", min_length=1, description="what checkBalance calls the amount"
    )
    url: Url = Field(
        default="http://ams.tinnhanthuonghieu.vn:8009/bulkapi", description="without ?wsdl"
    )


class ViettelVendor(Vendor):
    """Viettel's bulkapi as pure functions."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._password = options.password.reveal()
        self.url = options.url
        self.secrets = [self._password, escape(self._password)]
        self.capabilities = Capabilities(
            max_batch=1, concurrency=options.connections, has_balance=True
        )

    def build_send(self, messages: Sequence[Outbound]) -> Request:
        (message,) = messages
        number = message.address.removeprefix("+")
        fields = {
            "RequestID": _number_of(message.reference),
            "UserID": number,
            "ReceiverID": number,
            "ServiceID": self._options.brandname,
            "CommandCode": self._options.command_code,
            "Content": message.text,
            "ContentType": "0" if message.text.isascii() else "1",
        }
        return self._call(self._options.operation, fields)

    def _call(self, operation: str, fields: Mapping[str, str]) -> Request:
        options = self._options
        account = {"User": options.user, "Password": self._password, "CPCode": options.cp_code}
        written = "".join(
            f"<{name}>{escape(value)}</{name}>" for name, value in {**account, **fields}.items()
        )
        return Request(
            method="POST",
            url=self.url,
            headers={"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'},
            body=_ENVELOPE.format(operation=operation, fields=written).encode(),
        )

    def read_send(
        self,
        messages: Sequence[Outbound],  # noqa: ARG002 - one, of which the answer speaks
        reply: Reply,
        now: datetime,
    ) -> Sequence[Outcome]:
        if (said := default_outcome(reply, now)) is not None:
            return [said]
        found = leaves(reply.body)
        result, message = found.get("result"), found.get("message", "")
        if result == _QUEUED:
            return [Outcome(kind=OutcomeKind.ACCEPTED, code=_QUEUED)]
        if result != _REFUSED or not message:
            return [unreadable()]
        return [_refusal(message)]

    def build_balance(self) -> Request:
        return self._call("checkBalance", {})

    def read_balance(self, reply: Reply) -> tuple[int, str]:
        found = leaves(reply.body)
        if self._options.balance_field not in found:
            said = ", ".join(sorted(found)) or "nothing"
            raise ValueError(f"{found.get('errDesc') or 'no balance'}; its answer has {said}")
        return amount(found, self._options.balance_field), "VND"


def _number_of(reference: str) -> str:
    """Digits that go with a reference, for looking it up with the vendor; unique they need not be.

    They fit into 31 bits, whatever the vendor reads them into.
    """
    return str(zlib.crc32(reference.encode()) & 0x7FFFFFFF)


def _refusal(message: str) -> Outcome:
    """What a sentence means; the phrase that it holds is the code."""
    for phrase, kind, scope in MESSAGES:
        if phrase.lower() in message.lower():
            code = phrase.strip(": ")
            return Outcome(kind=kind, scope=scope, code=code, detail=message)
    return unmapped(_REFUSED, message)


KIND = Kind(
    options=Options, open=lambda options, site: open_http(ViettelVendor(options), options, site)
)
