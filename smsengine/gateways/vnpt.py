"""VNPT VinaPhone "smsmarketing": a registered template and its parameters, never a text.

By public client code; the vendor publishes no description, and of its codes only 0 and 7 are known.
An office adds those of its contract under ``codes``. The vendor gives a message no name: ``REQID``
is ours, and nothing says that a repeated one is known again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from pydantic import Field

from smsengine.config.secret import SecretField
from smsengine.gateways.base import (
    Capabilities,
    Kind,
    Outbound,
    Outcome,
    OutcomeKind,
    Scope,
    TemplateUse,
)
from smsengine.gateways.http_exchange import Reply, Request
from smsengine.gateways.http_gateway import Vendor
from smsengine.gateways.http_options import Meaning, Url
from smsengine.gateways.http_outcomes import Codes, coded, default_outcome
from smsengine.gateways.http_reading import document, meant, text
from smsengine.gateways.http_transport import TransportOptions, open_http

#: RPLY.ERROR: what it means. What is missing here is a refusal whose code is kept.
CODES: Codes = {
    "0": (OutcomeKind.ACCEPTED, None),
    # the template is not valid, or not this label's and agent's
    "7": (OutcomeKind.REJECTED, Scope.CONTENT),
}
_UNNAMED = TemplateUse("")


class Options(TransportOptions):
    """Keys of a gateway of kind ``vnpt``."""

    label_id: str = Field(min_length=1, description="the brandname's number with VNPT")
    contract_id: str = Field(min_length=1)
    agent_id: str = Field(min_length=1)
    api_user: str = Field(min_length=1)
    api_password: SecretField
    user_name: str = Field(min_length=1, description="the portal's account")
    contract_type: Literal["1", "2"] = Field(
        default="1", description="1 customer care, 2 advertising"
    )
    codes: Mapping[str, Meaning] = Field(
        default_factory=dict, description="ERROR: what it means, before the built-in table"
    )
    url: Url = Field(description="such as http://host:8888/smsmarketing/api, as in the contract")


class VnptVendor(Vendor):
    """VNPT smsmarketing as pure functions."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._password = options.api_password.reveal()
        self._codes = {**CODES, **meant(options.codes)}
        self.url = options.url
        self.secrets = [self._password]
        self.capabilities = Capabilities(
            max_batch=1, concurrency=options.connections, needs_template=True
        )

    def build_send(self, messages: Sequence[Outbound]) -> Request:
        (message,) = messages
        template = message.template or _UNNAMED
        options = self._options
        fields = {
            "name": "send_sms_list",
            "REQID": message.reference,
            "LABELID": options.label_id,
            "CONTRACTTYPEID": options.contract_type,
            "CONTRACTID": options.contract_id,
            "TEMPLATEID": template.id,
            "PARAMS": [
                {"NUM": str(place), "CONTENT": value}
                for place, (_, value) in enumerate(template.params, start=1)
            ],
            "SCHEDULETIME": "",
            "MOBILELIST": message.address.removeprefix("+"),
            "ISTELCOSUB": "0",
            "AGENTID": options.agent_id,
            "APIUSER": options.api_user,
            "APIPASS": self._password,
            "USERNAME": options.user_name,
            "DATACODING": "0" if message.text.isascii() else "8",
        }
        return Request(
            method="POST",
            url=self.url,
            headers={"Content-Type": "application/json"},
            body=json.dumps({"RQST": fields}, ensure_ascii=False).encode(),
        )

    def read_send(
        self,
        messages: Sequence[Outbound],  # noqa: ARG002 - one, of which the answer speaks
        reply: Reply,
        now: datetime,
    ) -> Sequence[Outcome]:
        if (said := default_outcome(reply, now)) is not None:
            return [said]
        found = document(reply.body)
        code, detail = text(found, "RPLY.ERROR"), text(found, "RPLY.ERROR_DESC")
        return [coded(self._codes, code, detail)]


KIND = Kind(
    options=Options,
    open=lambda options, site: open_http(VnptVendor(options), options, site),
    needs_template=True,
)
