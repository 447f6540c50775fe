"""What campaigns came to: sums that others keep, asked in a few queries, and no HTML.

*People* are recipients of whom a person's hit is known, *unique* those of whom any hit is known,
*total* is the number of hits; each recipient counts once in each run.
"""
