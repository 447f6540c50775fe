"""Outgoing webhooks: tell programs elsewhere what happened, signed, in order, until they take it.

`outbox` makes calls of what was noted, `making` claims them, has `calling` make them and records
how they ended; `payloads` says what is told.
"""
