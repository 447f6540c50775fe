"""The account that PostgreSQL runs as: it refuses to run as root."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

ACCOUNT = "nobody"


@dataclass(frozen=True)
class Account:
    uid: int
    gid: int

    def may_enter(self, path: Path) -> bool:
        """Tell whether every directory on the way to `path`, and `path` itself, lets it pass.

        What does not exist yet is made by us, and lets it pass.
        """
        return all(self._may_pass(part) for part in (path, *path.parents) if part.exists())

    def _may_pass(self, path: Path) -> bool:
        status = path.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)


def own_account() -> Account:
    return Account(os.geteuid(), os.getegid())


def server_account() -> Account:
    """Return the caller's account, or an unprivileged one when the caller is root."""
    if os.geteuid() != 0:
        return own_account()
    entry = pwd.getpwnam(ACCOUNT)
    return Account(entry.pw_uid, entry.pw_gid)
