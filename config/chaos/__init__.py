"""A living installation to which everything happens that can happen, and a judge at the end.

`manage.py chaos` kills, freezes and restarts its own processes at random while campaigns are sent
to a next hop that misbehaves, and then compares what arrived with what the ledger says.
"""
