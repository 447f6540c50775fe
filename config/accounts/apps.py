from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    """The last of the installed apps: its migration is followed by the making of the roles.

    By then those of all others have been, and their permissions are there.
    """

    name = "config.accounts"
    label = "accounts"
    verbose_name = "People of this installation"

    def ready(self) -> None:
        post_migrate.connect(_make_roles, sender=self)


def _make_roles(**_: Any) -> None:
    # Models can be imported once all apps are there, and not with this module.
    from config.accounts.roles import make_roles

    make_roles()
