# allauth has no type hints:
# mypy: allow-subclassing-any
from typing import Any

from allauth.account.forms import LoginForm
from django.utils.translation import gettext_lazy as _


class SignInForm(LoginForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = _("User name or email address")
        for field in self.fields.values():
            field.widget.attrs.pop("placeholder", None)  # the label says it
