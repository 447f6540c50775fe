# allauth has no type hints:
# mypy: allow-subclassing-any
from datetime import datetime, timedelta
from typing import Any

from allauth.account.forms import LoginForm
from django import forms
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from config.accounts.keys import Made, make_key
from config.accounts.models import Profile
from config.accounts.roles import called
from config.accounts.scopes import Reach, scopes_of, scopes_to_choose
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
        fields = ("language", "time_zone", "theme", "shortcuts")
        labels = {
            "language": _("Language"),
            "theme": _("Light or dark"),
            "shortcuts": _("Keyboard shortcuts of a single key"),
        }

    field_order = ("first_name", "last_name", "language", "time_zone", "theme", "shortcuts")

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


class KeyForm(forms.Form):
    """A new API key of a user's own."""

    name = forms.CharField(
        label=_("Name"), max_length=100, help_text=_("What uses it: “the CRM”, “nightly export”.")
    )
    reach = forms.ChoiceField(
        label=_("What it may do"),
        choices=Reach.choices,
        initial=Reach.LOOK,
        widget=forms.RadioSelect,
    )
    scopes = forms.MultipleChoiceField(
        label=_("Chosen one by one"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Of what you may do yourself; what is taken from you, it loses as well."),
    )
    lists = forms.ModelMultipleChoiceField(
        MailingList.objects.none(),
        label=_("Only these lists, and who is on them"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None: all that you see."),
    )
    days = forms.TypedChoiceField(
        label=_("Valid for"),
        coerce=int,
        choices=[
            (30, _("30 days")),
            (90, _("90 days")),
            (365, _("a year")),
            (0, _("until it is revoked")),
        ],
        initial=90,
    )

    def __init__(self, data: Any = None, *, user: User) -> None:
        super().__init__(data)
        self.user = user
        self.fields["scopes"].choices = scopes_to_choose(user)  # type: ignore[attr-defined]
        lists = MailingList.objects.visible_to(user).order_by("name")
        self.fields["lists"].queryset = lists  # type: ignore[attr-defined]
        if not lists:
            del self.fields["lists"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("reach") == Reach.CHOSEN and not cleaned.get("scopes"):
            raise ValidationError({"scopes": _("Choose something that it may do.")})
        return cleaned

    def make(self, *, now: datetime) -> Made:
        """Make the key that a valid form says."""
        given = self.cleaned_data
        days: int = given["days"]
        return make_key(
            self.user,
            name=given["name"],
            scopes=scopes_of(self.user, reach=given["reach"], chosen=given["scopes"]),
            lists=given.get("lists") or None,
            expires_at=now + timedelta(days=days) if days else None,
            now=now,
        )
