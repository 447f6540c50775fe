"""Move the sums: by what changed in single messages, so that a batch costs what is in it.

Whoever moves a sum holds one lock for all of them, to the end of the transaction: sums are read
from rows and written back, and two that did so at once would lose something. What is counted of a
message is in its `Facts`, stored as its Response; a sum moves by the difference between what they
were and what they are.
"""
