"""``payments.table:`` and ``deliver:`` of the configuration: the daily table and its ways.

The columns of the official form (Mẫu 01-XN) are not public; they stand here as data, so that an
office puts the form that it was given in place of the working layout.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from smsengine.config.alerts import Address, Hour, SecretName
from smsengine.config.yaml import Model

#: What a column may hold; the words of docs/daily-table.md.
Content = Literal[
    "number",
    "code",
    "name",
    "insurance-number",
    "type",
    "paid-on",
    "amount",
    "months",
    "from-day",
    "to-day",
    "organisation",
    "organisation-code",
    "staff",
    "staff-code",
    "receipt",
    "recorded-at",
    "note",
]
#: Of a server or an account.
_NAME = re.compile(r"[A-Za-z0-9._:-]+", re.ASCII)


def _is_line(value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise ValueError("must be one line of words.")
    return value


_Line = Annotated[str, AfterValidator(_is_line)]


class TableColumn(Model):
    """One column of the daily table."""

    title: _Line = Field(max_length=100, description="what stands above it")
    holds: Content = Field(description="what it holds")
    width: float = Field(default=12, ge=2, le=100, description="in characters")


def working_layout() -> Sequence[TableColumn]:
    """The layout that follows from the letter of 2023 and from the fund's own interface."""
    given: tuple[tuple[str, Content, float], ...] = (
        ("STT", "number", 6),
        ("Mã xác nhận", "code", 20),
        ("Họ và tên", "name", 26),
        ("Mã số BHXH", "insurance-number", 15),
        ("Loại hình tham gia", "type", 20),
        ("Ngày nộp tiền", "paid-on", 12),
        ("Số tiền", "amount", 15),
        ("Số tháng", "months", 8),
        ("Từ ngày", "from-day", 12),
        ("Đến ngày", "to-day", 12),
        ("Tổ chức dịch vụ thu", "organisation", 28),
        ("Nhân viên thu", "staff", 26),
        ("Ghi chú", "note", 24),
    )
    return tuple(TableColumn(title=title, holds=what, width=width) for title, what, width in given)


class FolderWay(Model):
    """Into a folder of this machine, or one that it has mounted."""

    kind: Literal["folder"]
    path: str = Field(default="", description="the folder; left out: the folder outbox of payments")

    @property
    def target(self) -> str:
        return self.path


class EmailWay(Model):
    """By mail, one to each address, over the gateway that ``payments.table.mail`` names."""

    kind: Literal["email"]
    to: Address = Field(max_length=200, description="who gets it")

    @property
    def target(self) -> str:
        return self.to


class SftpWay(Model):
    """By SFTP; a server whose key is not known gets nothing."""

    kind: Literal["sftp"]
    host: str = Field(max_length=100, description="name of the server")
    port: int = Field(default=22, ge=1, le=65535, description="its port")
    user: str = Field(max_length=60, description="name to log in with")
    key: SecretName | None = Field(default=None, description="private key, a secret")
    password: SecretName | None = Field(default=None, description="or a password, a secret")
    known_hosts: str = Field(
        min_length=1, description="file with the server's key, as ssh-keyscan writes it"
    )
    folder: str = Field(default=".", min_length=1, max_length=100, description="folder there")

    @field_validator("host", "user")
    @classmethod
    def _is_name(cls, value: str) -> str:
        if _NAME.fullmatch(value) is None:
            raise ValueError(f"is {value!r}; letters, digits, dots, dashes and colons only.")
        return value

    @field_validator("folder")
    @classmethod
    def _is_folder(cls, value: str) -> str:
        if not value.isprintable() or ".." in PurePosixPath(value).parts:
            raise ValueError(f"is {value!r}; name a folder without '..'.")
        return value

    @model_validator(mode="after")
    def _has_one_proof(self) -> SftpWay:
        if (self.key is None) == (self.password is None):
            raise ValueError("needs a key or a password, one of them.")
        return self

    @property
    def target(self) -> str:
        return f"{self.user}@{self.host}:{self.port}/{self.folder}"


Way = Annotated[FolderWay | EmailWay | SftpWay, Field(discriminator="kind")]


class TableSettings(Model):
    """When the daily tables are made, what they look like, and until when they must be there."""

    at: Hour = Field(
        default="00:30", validate_default=True, description="when yesterday's tables are made"
    )
    again: Hour = Field(
        default="07:00", validate_default=True, description="when supplements are made"
    )
    alarm: Hour = Field(
        default="07:45",
        validate_default=True,
        description="when somebody is told of tables that have not arrived",
    )
    mail: str | None = Field(
        default=None, description="gateway of kind email whose server takes the mails"
    )
    subject: _Line = Field(
        default="Bảng tổng hợp số tiền thu BHXH, BHYT (Mẫu 01-XN)",
        max_length=150,
        description="subject of the mails; the day and the organisation's code follow",
    )
    title: _Line = Field(
        default="TỔNG HỢP SỐ TIỀN THU BHXH, BHYT THEO MÃ XÁC NHẬN",
        max_length=150,
        description="the title of the form",
    )
    offices: Mapping[str, _Line] = Field(
        default_factory=dict, description="names of the offices in the heading, by code"
    )
    columns: tuple[TableColumn, ...] = Field(
        default_factory=lambda: tuple(working_layout()),
        min_length=1,
        max_length=40,
        description="the columns of the table, from left to right",
    )

    @field_validator("columns")
    @classmethod
    def _has_what_is_summed(cls, value: tuple[TableColumn, ...]) -> tuple[TableColumn, ...]:
        held = [column.holds for column in value]
        if held.count("amount") != 1 or "code" not in held:
            raise ValueError("needs one column that holds amount, and one that holds code.")
        if held[0] == "amount":
            raise ValueError("must not begin with the amount: there the words of the totals stand.")
        return value
