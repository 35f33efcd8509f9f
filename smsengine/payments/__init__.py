"""Payments that people hand to collectors: confirmed at once, looked up, compared with the fund."""
