"""The keys of a gateway of kind ``smpp``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from smsengine.config.secret import SecretField
from smsengine.config.yaml import Model
from smsengine.gateways.http_options import Meaning


def _is_ascii(value: str) -> str:
    if not value.isascii() or not value.isprintable():
        raise ValueError("must be plain letters, digits and signs.")
    return value


def _is_status(value: str) -> str:
    try:
        int(value, 0)
    except ValueError:
        raise ValueError("must be a command_status such as 0x400 or 1024.") from None
    return value


Name = Annotated[str, AfterValidator(_is_ascii)]
Status = Annotated[str, AfterValidator(_is_status)]
#: Type and plan of a number, as the specification counts them.
Ton = Annotated[int, Field(ge=0, le=6)]
Npi = Annotated[int, Field(ge=0, le=18)]


class Options(Model):
    """Keys of a gateway of kind ``smpp``."""

    host: Name = Field(min_length=1, description="the SMSC's name or address")
    port: int = Field(default=2775, ge=1, le=65535)
    tls: bool = Field(default=False, description="the connection is encrypted and its end proved")
    ca: str | None = Field(default=None, description="file with the SMSC's own CA")
    system_id: Name = Field(min_length=1, max_length=15, description="our name, as in the contract")
    password: SecretField
    system_type: Name = Field(default="", max_length=12, description="where the contract has one")
    bind: Literal["transceiver", "pair"] = Field(
        default="transceiver", description="one connection for both ways, or one for each"
    )
    binds: int = Field(default=1, ge=1, le=50, description="how many of these at one time")
    outstanding: int = Field(
        default=10, ge=1, le=10_000, description="submits without an answer, on each bind"
    )
    source: Name = Field(default="", max_length=20, description="the brandname or number")
    source_ton: Ton | None = Field(default=None, description="else by the look of source")
    source_npi: Npi | None = Field(default=None, description="else by the look of source")
    dest_ton: Ton = Field(default=1, description="1 is international")
    dest_npi: Npi = Field(default=1, description="1 is the plan of phone numbers")
    service_type: Name = Field(default="", max_length=5, description="where the contract has one")
    coding: Literal["gsm7", "latin1"] = Field(
        default="gsm7", description="octets of texts that are not UCS-2"
    )
    data_coding: int | None = Field(
        default=None, ge=0, le=255, description="said with those; else 0 for gsm7, 3 for latin1"
    )
    long_messages: Literal["udh", "payload", "sar"] = Field(
        default="udh", description="how the parts of a long text are tied together"
    )
    registered_delivery: Literal["final", "all", "none"] = Field(
        default="final", description="which receipts are asked for"
    )
    ids: Literal["auto", "same", "resp_hex_dlr_dec", "resp_dec_dlr_hex"] = Field(
        default="auto", description="how names in answers and in receipts are spelled"
    )
    codes: Mapping[Status, Meaning] = Field(
        default_factory=dict, description="command_status: what it means"
    )
    connect_seconds: float = Field(default=10, gt=0, le=120, description="to connect and to bind")
    respond_seconds: float = Field(default=30, gt=0, le=600, description="for each answer")
    enquire_seconds: float = Field(
        default=30, gt=0, le=3600, description="of silence, then the link is tried"
    )
    reconnect_seconds: float = Field(
        default=60, gt=0, le=3600, description="longest pause between two attempts to bind"
    )

    @field_validator("ca")
    @classmethod
    def _goes_with_tls(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value and not info.data.get("tls"):
            raise ValueError("goes with tls: true.")
        return value

    @field_validator("source")
    @classmethod
    def _fits(cls, value: str) -> str:
        if value and not value.lstrip("+").isdigit() and len(value) > 11:
            raise ValueError("is a name of more than 11 characters, which no telco takes.")
        return value

    @property
    def source_type(self) -> tuple[int, int]:
        """TON and NPI of the source: a name, a whole number, or a short code of the network."""
        if not self.source:
            look = (0, 0)
        elif not self.source.lstrip("+").isdigit():
            look = (5, 0)
        else:
            look = (1, 1) if len(self.source.lstrip("+")) > 8 else (3, 0)
        ton = look[0] if self.source_ton is None else self.source_ton
        return ton, look[1] if self.source_npi is None else self.source_npi
