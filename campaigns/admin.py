# unfold has no type hints:
# mypy: allow-subclassing-any, allow-untyped-decorators
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

from cryptography.fernet import Fernet
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from unfold.admin import ModelAdmin
from unfold.decorators import action, display

from campaigns import services, trial, wording
from campaigns.forms import ConfirmForm, ScheduleForm, SenderForm, TransportForm, TrialForm
from campaigns.models import (
    ACTIVE_RUN_STATUSES,
    Campaign,
    CampaignStatus,
    Page,
    Run,
    RunStatus,
    Sender,
    Transport,
)
from campaigns.progress import progress
from campaigns.services import Refused
from campaigns.tasks import prepare
from recipients.admin import state_tag
from recipients.models import Recipient
from templates_app.admin import ReadOnlyAdmin
