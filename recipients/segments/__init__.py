"""Segments: saved rules about recipients, compiled to one SQL condition, and said in words.

Rules are JSON, a tree of groups and rules:

    {"match": "all" | "any" | "none", "rules": [group or rule, …]}
    {"about": SUBJECT, "operator": OPERATOR, "value": what the operator takes}

`none` is true where no rule in it is. A group has at least one rule. What there is:

    about                               operator
    address, domain                     is, is_not, one_of, none_of, contains, contains_not,
                                        starts_with, ends_with
    language, time_zone                 is, is_not, one_of, none_of, contains, contains_not,
                                        starts_with, blank, not_blank
    created_at                          on, before, after, between, last_days, not_last_days
    tracking_consent                    is, is_not
    field:NAME, a text                  is, is_not, one_of, none_of, contains, contains_not,
                                        starts_with, blank, not_blank
    field:NAME, a number                is, is_not, less, more, between, blank, not_blank
    field:NAME, a date                  on, before, after, between, last_days, not_last_days,
                                        next_days, blank, not_blank
    field:NAME, yes or no               yes, no, not_yes, not_no, blank, not_blank
    field:NAME, one of several          is, is_not, one_of, none_of, blank, not_blank
    list                                on, not_on, pending, left, never        (value: the id)
    tag                                 has, has_not                            (value: the id)
    segment                             in, not_in                              (value: the id)

    mailed, opened, clicked             last_days, not_last_days, ever, never,
                                        last_campaigns, no_last_campaigns  (value: how many)

Those of the last line are registered by tracking (tracking/segment_rules.py), as any app above may
(`recipients.segments.subjects.register`).

**Blanks.** A field is blank where it is absent, null or "", and where it holds what is none of its
kind. A blank is not equal to anything, and neither before nor after, less nor more: so `is_not`,
`none_of`, `contains_not` and `not_last_days` include those who have no value, and each of them is
the exact opposite of its positive. A condition is never NULL: NOT (condition) is safe.

Texts are compared without regard to case. Days are those of UTC. "Within the last 3 days" includes
today and this moment; of a field that is a date, it means the three days before today as well.
"""
