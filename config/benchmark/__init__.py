"""Measure how fast campaigns are sent, on an installation of the measurement's own.

Everything that sends is the product's: the servers, the processes and their command lines, the
engine. Ours are the recipients, the message, the next hop, and what counts.
"""
