"""Requests for the pixel and the links of messages, answered beside Django.

From memory, and written to a stream in Redis; what reads it writes rows: docs/tracking.md.
"""
