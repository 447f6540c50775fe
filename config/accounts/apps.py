import sys
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    """The last of the installed apps: its migration is followed by the making of the roles.

    By then those of all others have been, and their permissions are there.
    """

    name = "config.accounts"
    label = "accounts"
    verbose_name = _("People of this installation")

    def ready(self) -> None:
        # Models can be imported once all apps are there, and not with this module.
        from config.accounts import acting, audit, profile
        from config.api import idempotency  # noqa: F401 - it registers what it keeps of people

        post_migrate.connect(_make_roles, sender=self)
        user_logged_in.connect(audit.signed_in)
        user_logged_in.connect(profile.put_into_session)
        user_logged_out.connect(audit.signed_out)
        user_login_failed.connect(audit.sign_in_failed)
        program, *arguments = sys.argv or [""]
        if Path(program).name == "manage.py" and arguments:
            acting.begin_command(arguments[0])


def _make_roles(**_options: Any) -> None:
    from config.accounts.roles import make_roles

    make_roles()
