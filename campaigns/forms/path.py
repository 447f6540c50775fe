"""What staff type on the path of a campaign: content, audience, schedule, check, confirm."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.forms import overtaking
from campaigns.forms.addresses import addr_spec
from campaigns.models import Campaign, CampaignAttachment, Plan, When
from campaigns.preflight.findings import Finding
from recipients.models import MailingList, Segment
from recipients.models.lists import Viewer
from recipients.validators import time_zones
from templates_app.models import MediaFile

Clock = time  # within a form that has a field of that name
NOT_YET = "not_yet"
DAILY, WEEKDAYS, WEEKLY, MONTHLY, CUSTOM = "daily", "weekdays", "weekly", "monthly", "custom"
_WEEKDAYS = (
    (1, gettext_lazy("Monday")),
    (2, gettext_lazy("Tuesday")),
    (3, gettext_lazy("Wednesday")),
    (4, gettext_lazy("Thursday")),
    (5, gettext_lazy("Friday")),
    (6, gettext_lazy("Saturday")),
    (0, gettext_lazy("Sunday")),
)
_LAST_DAY_OF_EVERY_MONTH = 28


class NewForm(forms.ModelForm[Campaign]):
    """What a draft cannot be without."""

    class Meta:
        model = Campaign
        fields = ("name", "sender", "template")
        help_texts = {"name": gettext_lazy("For you; a template may write it into the subject.")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("sender", "template"):
            field = cast("forms.ModelChoiceField[Any]", self.fields[name])
            only = list(field.queryset[:2]) if field.queryset else []
            if len(only) == 1:
                field.initial = only[0]


class ContentForm(NewForm):
    attached = forms.ModelMultipleChoiceField(
        MediaFile.objects.order_by("folder", "name"),
        label=gettext_lazy("Attachments"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("Files of the library. Their bytes are fixed when it is scheduled."),
    )

    class Meta(NewForm.Meta):
        fields = (  # type: ignore[assignment]
            "name",
            "sender",
            "template",
            "tracking",
            "priority",
            "late_limit",
            "time_to_live",
            "unconfirmed_policy",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        wanted = CampaignAttachment.objects.wanted_by(self.instance.pk)
        self.fields["attached"].initial = [row.file_id for row in wanted]
        overtaking.remember(self)

    def first(self) -> list[Any]:
        """Return the fields that each campaign is about."""
        return [self[name] for name in ("name", "sender", "template", "attached", "tracking")]

    def rest(self) -> list[Any]:
        """Return those that are mostly left as they are."""
        names = ("priority", "late_limit", "time_to_live", "unconfirmed_policy")
        return [self[name] for name in names]


class AudienceForm(forms.Form):
    lists = forms.ModelMultipleChoiceField(
        MailingList.objects.none(),
        label=gettext_lazy("To these lists"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    segments = forms.ModelMultipleChoiceField(
        Segment.objects.none(),
        label=gettext_lazy("And to these segments"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    excluded_lists = forms.ModelMultipleChoiceField(
        MailingList.objects.none(),
        label=gettext_lazy("But not to who is on these lists"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    excluded_segments = forms.ModelMultipleChoiceField(
        Segment.objects.none(),
        label=gettext_lazy("And not to these segments"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, campaign: Campaign, user: Viewer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = {
            "lists": MailingList.objects.visible_to(user).order_by("name"),
            "segments": Segment.objects.visible_to(user).order_by("name"),
        }
        for name in self.fields:
            field = cast("forms.ModelMultipleChoiceField[Any]", self.fields[name])
            field.queryset = choices[name.removeprefix("excluded_")]
            field.initial = [each.pk for each in getattr(campaign, name).all()]
        overtaking.remember(self)

    def clean(self) -> dict[str, Any]:
        answers: dict[str, Any] = super().clean() or self.cleaned_data
        for included in ("lists", "segments"):
            excluded = answers.get(f"excluded_{included}") or ()
            if both := [str(each) for each in answers.get(included) or () if each in excluded]:
                text = _("Included as well: %s. Choose one.") % ", ".join(both)
                self.add_error(f"excluded_{included}", text)
        return answers


class WhyForm(forms.Form):
    """Asks for the address of somebody, who need not be known."""

    address = forms.CharField(
        label=gettext_lazy("Why (not) this person?"),
        max_length=500,
        widget=forms.TextInput(attrs={"autocomplete": "off", "type": "email"}),
    )

    def clean_address(self) -> str:
        return addr_spec(self.cleaned_data["address"])


class ScheduleForm(forms.Form):
    """When to send."""

    when = forms.ChoiceField(
        label=gettext_lazy("When"),
        choices=(
            (When.AT, gettext_lazy("Once, at a time")),
            (When.CRON, gettext_lazy("Again and again")),
            (When.NOW, gettext_lazy("As soon as it is confirmed")),
            (NOT_YET, gettext_lazy("Not yet")),
        ),
        widget=forms.RadioSelect,
    )
    date = forms.DateField(
        label=gettext_lazy("Date"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    repeat = forms.ChoiceField(
        label=gettext_lazy("Repeated"),
        required=False,
        choices=(
            (DAILY, gettext_lazy("Each day")),
            (WEEKDAYS, gettext_lazy("From Monday to Friday")),
            (WEEKLY, gettext_lazy("Each week, on a day")),
            (MONTHLY, gettext_lazy("Each month, on a date")),
            (CUSTOM, gettext_lazy("By a crontab expression")),
        ),
    )
    weekday = forms.TypedChoiceField(
        label=gettext_lazy("On"), required=False, choices=_WEEKDAYS, coerce=int, empty_value="1"
    )
    day = forms.IntegerField(
        label=gettext_lazy("On day"),
        required=False,
        min_value=1,
        max_value=_LAST_DAY_OF_EVERY_MONTH,
        help_text=gettext_lazy("1 to 28, which every month has."),
    )
    cron = forms.CharField(
        label=gettext_lazy("Crontab expression"),
        required=False,
        max_length=100,
        help_text=gettext_lazy(
            "Minute, hour, day, month, weekday: 0 9 * * MON is each Monday at 9:00."
        ),
    )
    time = forms.TimeField(
        label=gettext_lazy("Time"),
        required=False,
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
    )
    time_zone = forms.ChoiceField(label=gettext_lazy("Time zone"))
    follows_recipients = forms.BooleanField(
        label=gettext_lazy("At each recipient's own time"),
        required=False,
        help_text=gettext_lazy(
            "By the time zone that is known of them, else by the one above. It begins where the day"
            " begins first; where that time is over already, it is sent at once."
        ),
    )
    hours_from = forms.TimeField(
        label=gettext_lazy("Messages leave from"),
        required=False,
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        help_text=gettext_lazy("Outside of these hours they wait for the next day."),
    )
    hours_until = forms.TimeField(
        label=gettext_lazy("up to"),
        required=False,
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
    )

    def __init__(
        self,
        *args: Any,
        plan: Plan | None,
        time_zone: str,
        campaign: Campaign | None = None,
        **kwargs: Any,
    ) -> None:
        initial = {"time_zone": time_zone, **_planned(plan)}
        for name in ("follows_recipients", "hours_from", "hours_until"):
            initial[name] = getattr(campaign, name, None)
        kwargs.setdefault("initial", initial)
        super().__init__(*args, **kwargs)
        zones = [(zone, zone.replace("_", " ")) for zone in sorted(time_zones())]
        self.fields["time_zone"].choices = zones  # type: ignore[attr-defined]
        overtaking.remember(self)

    def clean(self) -> dict[str, Any]:
        answers: dict[str, Any] = super().clean() or self.cleaned_data
        when = answers.get("when")
        if when == When.AT:
            self._require(answers, "date", _("Say on which date."))
        if when == When.AT or (when == When.CRON and answers.get("repeat") != CUSTOM):
            self._require(answers, "time", _("Say at which time."))
        if when == When.CRON:
            self._clean_repeat(answers)
        if when == When.AT and not self.errors:
            answers["at"] = self._moment(answers)
        if when == When.NOW and answers.get("follows_recipients"):
            self.add_error("follows_recipients", _("Choose a time for that."))
        self._clean_hours(answers.get("hours_from"), answers.get("hours_until"))
        return answers

    def _clean_hours(self, start: Clock | None, end: Clock | None) -> None:
        if (start is None) != (end is None):
            self.add_error("hours_until" if start else "hours_from", _("Write both, or neither."))
        elif start is not None and start == end:
            self.add_error("hours_until", _("Write two different times."))

    def _clean_repeat(self, answers: dict[str, Any]) -> None:
        self._require(answers, "repeat", _("Say how it is repeated."))
        if answers.get("repeat") == MONTHLY:
            self._require(answers, "day", _("Say on which day of the month."))
        if answers.get("repeat") == CUSTOM:
            self._require(answers, "cron", _("Write a crontab expression."))
        if not self.errors:
            answers["cron"] = _crontab(answers)

    def _require(self, answers: dict[str, Any], name: str, text: str) -> None:
        if answers.get(name) in (None, "") and name not in self.errors:
            self.add_error(name, text)

    def plan(self) -> dict[str, Any]:
        """Return what `departure.plan` takes, beside the campaign and the clock."""
        answers = self.cleaned_data
        when = When(answers["when"])
        return {
            "when": when,
            "at": answers["at"] if when == When.AT else None,
            "cron": answers["cron"] if when == When.CRON else "",
            "time_zone": answers["time_zone"],
            "follows_recipients": answers["follows_recipients"],
            "hours": (answers["hours_from"], answers["hours_until"])
            if answers["hours_from"]
            else None,
        }

    def _moment(self, answers: dict[str, Any]) -> datetime | None:
        """Return the time in its zone; refuse one that the clocks skip or strike twice."""
        if not 2000 <= answers["date"].year < 3000:
            self.add_error("date", _("This year is too far away."))
            return None
        zone = ZoneInfo(answers["time_zone"])
        local = datetime.combine(answers["date"], answers["time"], tzinfo=zone)
        there = local.astimezone(UTC).astimezone(zone)
        if there.replace(tzinfo=None) != local.replace(tzinfo=None):
            text = _("The clocks go forward: this time does not exist; %s does.")
            self.add_error("time", text % f"{there:%H:%M}")
        elif local.utcoffset() != local.replace(fold=1).utcoffset():
            before = local - timedelta(hours=2)
            text = _("The clocks go back: this time comes twice; %s comes once.")
            self.add_error("time", text % f"{before:%H:%M}")
        else:
            return local
        return None


class ConfirmForm(forms.Form):
    """What the page has shown, and what makes sure that it was read."""

    fingerprint = forms.CharField(max_length=64, widget=forms.HiddenInput)
    receiving = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    planned = forms.CharField(max_length=64, widget=forms.HiddenInput)

    def __init__(
        self, *args: Any, must_type: bool, warnings: Sequence[Finding], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        if must_type:
            self.fields["typed"] = forms.CharField(
                label=_("Type how many people will receive it"),
                max_length=20,
                widget=forms.TextInput(
                    attrs={"inputmode": "numeric", "autocomplete": "off", "class": "short"}
                ),
            )
        said: dict[str, str] = {}
        for each in warnings:
            said.setdefault(each.name, str(each))
        if said:
            self.fields["accepted"] = forms.MultipleChoiceField(
                label=_("Send in spite of"),
                required=False,
                choices=[(name, f"{name}: {text}") for name, text in said.items()],
                widget=forms.CheckboxSelectMultiple,
                help_text=_("Warnings that are not mended must be accepted, each by its name."),
            )

    def clean_typed(self) -> str:
        """Take the number with whatever people write between its digits."""
        typed: str = self.cleaned_data["typed"]
        digits = typed.translate(str.maketrans("", "", " .,'\u00a0\u202f"))
        if digits != str(self.cleaned_data.get("receiving")):
            raise forms.ValidationError(_("That is not the number above. Look at it again."))
        return typed

    @property
    def accepted(self) -> Collection[str]:
        """The names of the warnings that were accepted."""
        names: Collection[str] = self.cleaned_data.get("accepted", ())
        return names


class TrialForm(forms.Form):
    address = forms.CharField(
        label=gettext_lazy("Send the test to"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        help_text=gettext_lazy("One address. It need not be a recipient's."),
    )

    def clean_address(self) -> str:
        return addr_spec(self.cleaned_data["address"])


class CopyForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name of the copy"), max_length=200)


class PlainForm(forms.Form):
    """Nothing is asked; the button is the answer."""


def _crontab(answers: dict[str, Any]) -> str:
    """Return the expression for what was chosen."""
    at: time = answers["time"] or time()
    clock = f"{at.minute} {at.hour}"
    return {
        DAILY: f"{clock} * * *",
        WEEKDAYS: f"{clock} * * 1-5",
        WEEKLY: f"{clock} * * {answers['weekday']}",
        MONTHLY: f"{clock} {answers['day']} * *",
        CUSTOM: str(answers["cron"]),
    }[answers["repeat"]]


def _planned(plan: Plan | None) -> dict[str, Any]:
    """Return what the form shows of a plan."""
    if plan is None:
        return {"when": NOT_YET}
    shown: dict[str, Any] = {"when": plan.when, "time_zone": plan.time_zone}
    if plan.at:
        local = plan.at.astimezone(ZoneInfo(plan.time_zone))
        shown |= {"date": local.date(), "time": local.time()}
    return shown | _repeated(plan.cron)


def _repeated(cron: str) -> dict[str, Any]:
    """Read an expression back that was made of what can be chosen; any other is shown as it is."""
    if not cron:
        return {}
    minute, hour, day, month, weekday = cron.split()
    custom = {"repeat": CUSTOM, "cron": cron}
    if not (minute.isdecimal() and hour.isdecimal() and month == "*"):
        return custom
    shown: dict[str, Any] = {"time": time(int(hour), int(minute))}
    if (day, weekday) in (("*", "*"), ("*", "1-5")):
        return {**shown, "repeat": DAILY if weekday == "*" else WEEKDAYS}
    if day == "*" and weekday.isdecimal():
        return {**shown, "repeat": WEEKLY, "weekday": int(weekday)}
    if day.isdecimal() and weekday == "*":
        return {**shown, "repeat": MONTHLY, "day": int(day)}
    return custom
