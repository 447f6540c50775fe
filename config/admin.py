"""The console's pages of packages that know nothing of unfold."""

# unfold has no type hints:
# mypy: allow-subclassing-any, allow-untyped-decorators
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django_celery_beat.admin import PeriodicTaskAdmin as BeatPeriodicTaskAdmin
from django_celery_beat.admin import PeriodicTaskForm as BeatPeriodicTaskForm
from django_celery_beat.admin import TaskSelectWidget
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from django_celery_results.models import GroupResult, TaskResult
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from recipients.admin.base import ManyRowsAdmin
from templates_app.admin import ReadOnlyAdmin

for model in (
    Authenticator,  # of these the people themselves look after (config.accounts)
    EmailAddress,
    SocialAccount,
    SocialApp,
    SocialToken,
    UserSession,
    ClockedSchedule,
    CrontabSchedule,
    Group,
    GroupResult,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
    TaskResult,
    User,
):
    admin.site.unregister(model)


@admin.register(User)
class UserAdmin(DjangoUserAdmin[User], ModelAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Let nobody make themselves what they are not."""
        if request.user.is_superuser:
            return super().get_readonly_fields(request, obj)
        return ("is_superuser", "user_permissions")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_above = isinstance(obj, User) and obj.is_superuser and not request.user.is_superuser
        return bool(super().has_change_permission(request, obj)) and not is_above


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    pass


@admin.register(TaskResult)
class TaskResultAdmin(ManyRowsAdmin, ReadOnlyAdmin):
    """One row for each delivery, and those of the engine's own tasks."""

    list_display = ("task_id", "task_name", "status", "date_created", "date_done")
    search_fields = ("task_id__exact",)
    search_help_text = _("The whole task id")
    ordering = ("-pk",)
    fieldsets = (
        (None, {"fields": ("task_id", "task_name", "status", "worker")}),
        (_("Times"), {"fields": ("date_created", "date_started", "date_done")}),
        (_("Parameters"), {"fields": ("task_args", "task_kwargs", "periodic_task_name")}),
        (_("Result"), {"fields": ("result", "traceback", "meta")}),
    )


@admin.register(GroupResult)
class GroupResultAdmin(ManyRowsAdmin, ReadOnlyAdmin):
    list_display = ("group_id", "date_created", "date_done")
    search_fields = ("group_id__exact",)
    search_help_text = _("The whole group id")
    ordering = ("-date_done",)


class RegisteredTaskWidget(UnfoldAdminSelectWidget, TaskSelectWidget):
    pass


class PeriodicTaskForm(BeatPeriodicTaskForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["task"].widget = UnfoldAdminTextInputWidget()
        self.fields["regtask"].widget = RegisteredTaskWidget()


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(BeatPeriodicTaskAdmin, ModelAdmin):
    form = PeriodicTaskForm
    date_hierarchy = None


@admin.register(IntervalSchedule, CrontabSchedule, SolarSchedule, ClockedSchedule)
class ScheduleAdmin(ModelAdmin):
    """When Beat's own tasks run; a campaign's schedule is the campaign's."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return False  # chosen and made from the page of a periodic task
