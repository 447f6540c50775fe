"""What a key may be for: of the permissions that the API asks for, those that its user has."""

from collections.abc import Iterable

from django.contrib.auth.models import Permission, User
from django.db import models
from django.utils.translation import gettext_lazy as _

from config.api.access import OPERATIONS
from config.web.access import name_of


class Reach(models.TextChoices):
    LOOK = "look", _("Look at all that you may look at")
    ALL = "all", _("All that you may do by the API")
    CHOSEN = "chosen", _("What is chosen below")


def asked_for() -> set[str]:
    """Return the permissions that some operation asks for, and what those behind them ask for."""
    return {name for needs in OPERATIONS.values() for name in needs.split()} | BEYOND


# Asked by what an operation does, not by its door.
BEYOND = {"recipients.lift_complaint", "templates_app.write_raw_html"}


def scopes_to_choose(user: User) -> list[tuple[str, str]]:
    """Return what a key of this user may be for, with what it is called, by what it is about."""
    mine = {name for name in asked_for() if user.has_perm(name)}
    rows = Permission.objects.select_related("content_type").order_by(
        "content_type__app_label", "content_type__model", "codename"
    )
    scopes = [f"{row.content_type.app_label}.{row.codename}" for row in rows]
    return [(scope, name_of(scope)) for scope in scopes if scope in mine]


def scopes_of(user: User, *, reach: str, chosen: Iterable[str]) -> set[str]:
    """Return what a key is for, one by one: what its user is given later is not in it."""
    mine = {name for name in asked_for() if user.has_perm(name)}
    if reach == Reach.CHOSEN:
        return mine & set(chosen)
    if reach == Reach.LOOK:
        return {name for name in mine if name.partition(".")[2].startswith("view_")}
    return mine
