#!/usr/bin/env python
"""Godwit's command line."""

import os
import sys
from io import TextIOWrapper
from typing import cast

from django.core.management import execute_from_command_line
from django.db import DataError, OperationalError

from config.env import refuse_problems


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    # What is said is read at once also where it goes to a file: `make run` prints a password.
    cast("TextIOWrapper", sys.stdout).reconfigure(line_buffering=True)
    if sys.argv[1:2] != ["check"]:  # `check` reports them itself, with all else that is wrong
        refuse_problems()
    try:
        execute_from_command_line(sys.argv)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Nobody reads on (`| head`); what is left in the buffer would raise again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except DataError as error:
        sys.exit(f"error: {str(error).splitlines()[0]}")
    except OperationalError as error:
        reason = " ".join(str(error).split())
        sys.exit(
            f"error: PostgreSQL does not answer: {reason} "
            "(`manage.py services up` starts the embedded one; DATABASE_URL names another)"
        )


if __name__ == "__main__":
    main()
