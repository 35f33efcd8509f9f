"""A payment that nobody made, for tests that need one."""

from __future__ import annotations

from datetime import date

from smsengine.payments.payment import Payment

PAID = Payment(
    organisation="AR0013M",
    receipt="BL1",
    name="Trần Văn An",
    insurance_number="0123456789",
    type="bhyt-hgd",
    amount=804_600,
    months=12,
    paid_on=date(2019, 5, 31),
)
