"""Doubles of what the engine talks to; each runs as a process of its own and keeps a ledger."""
