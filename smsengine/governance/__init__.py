"""Notices of offices: what is wrong with one, whether it says what the Centre says, its life."""
