#!/usr/bin/env python
"""Godwit's command line."""

import os
import sys

from django.core.management import execute_from_command_line

from config.env import refuse_problems


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if sys.argv[1:2] != ["check"]:  # `check` reports them itself, with all else that is wrong
        refuse_problems()
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
