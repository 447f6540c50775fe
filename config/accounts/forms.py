# allauth has no type hints:
# mypy: allow-subclassing-any
from typing import Any

from allauth.account.forms import LoginForm
from django import forms
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from config.accounts.models import Profile
from config.accounts.roles import called
from config.accounts.services import save_profile, save_user
from recipients.models import MailingList
from recipients.validators import time_zones


class SignInForm(LoginForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = _("User name or email address")
        for field in self.fields.values():
            field.widget.attrs.pop("placeholder", None)  # the label says it


class ProfileForm(forms.ModelForm[Profile]):
    """How somebody is called, and wants to see the pages."""

    first_name = forms.CharField(label=_("First name"), required=False, max_length=150)
    last_name = forms.CharField(label=_("Last name"), required=False, max_length=150)
    time_zone = forms.ChoiceField(label=_("Time zone"), required=False)

    class Meta:
        model = Profile
        fields = ("language", "time_zone", "theme")
        labels = {"language": _("Language"), "theme": _("Light or dark")}

    field_order = ("first_name", "last_name", "language", "time_zone", "theme")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        user = self.instance.user
        self.initial.update(first_name=user.first_name, last_name=user.last_name)
        zones = [(zone, zone.replace("_", " ")) for zone in sorted(time_zones())]
        self.fields["time_zone"].choices = [  # type: ignore[attr-defined]
            ("", _("As the installation: %(zone)s") % {"zone": settings.TIME_ZONE}),
            *zones,
        ]
        languages = [("", _("As the browser asks")), *settings.LANGUAGES]
        self.fields["language"].choices = languages  # type: ignore[attr-defined]

    def save(self, commit: bool = True) -> Profile:
        return save_profile(
            super().save(commit=False),
            first_name=self.cleaned_data["first_name"],
            last_name=self.cleaned_data["last_name"],
        )


class _RolesField(forms.ModelMultipleChoiceField[Group]):
    def label_from_instance(self, obj: Any) -> str:
        return called(obj)


class UserForm(forms.ModelForm[User]):
    """A user, for who may change users: `by`."""

    roles = _RolesField(
        Group.objects.order_by("name"),
        label=_("Roles"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    lists = forms.ModelMultipleChoiceField(
        MailingList.objects.none(),
        label=_("Limited lists that they see"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Lists that are not limited are seen by everybody."),
    )

    class Meta:
        model = User
        fields = ("username", "first_name", "last_name", "email", "is_staff", "is_active")
        labels = {
            "username": _("User name"),
            "email": _("Email address"),
            "is_staff": _("May open the console"),
            "is_active": _("May sign in"),
        }
        help_texts = {"username": "", "is_staff": "", "is_active": ""}

    def __init__(self, *args: Any, by: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.by = by
        self.fields["email"].required = True
        limited = MailingList.objects.visible_to(by).filter(is_limited=True)
        self.fields["lists"].queryset = limited  # type: ignore[attr-defined]
        if not limited:
            del self.fields["lists"]
        if self.instance.pk:
            self.initial["roles"] = list(self.instance.groups.values_list("pk", flat=True))
            self.initial["lists"] = list(self.instance.limited_lists.values_list("pk", flat=True))

    def clean_email(self) -> str:
        """Return the address; by it people sign in, so it is one person's."""
        email: str = self.cleaned_data["email"]
        others = User.objects.filter(email__iexact=email).exclude(pk=self.instance.pk)
        if others.exists():
            raise ValidationError(_("Another user has this address."))
        return email

    def clean_is_active(self) -> bool:
        is_active: bool = self.cleaned_data["is_active"]
        if self.instance.pk == self.by.pk and not is_active:
            raise ValidationError(_("You cannot shut yourself out: ask another administrator."))
        return is_active

    def save(self, commit: bool = True) -> User:
        user = super().save(commit=False)
        lists = self.fields.get("lists")
        shown = set(lists.queryset.values_list("pk", flat=True)) if lists else set()  # type: ignore[attr-defined]
        return save_user(
            user,
            groups=self.cleaned_data["roles"],
            lists=self.cleaned_data.get("lists", ()),
            shown=shown,
        )
