from django.urls import path

from tracking.views.confirm import confirm
from tracking.views.preferences import preferences
from tracking.views.privacy import privacy
from tracking.views.unsubscribe import reason, unsubscribe
from tracking.views.webhooks import webhook

app_name = "tracking"
urlpatterns = [
    # No slash at the end: APPEND_SLASH would answer a one-click POST with a redirect.
    path("u/<str:token>", unsubscribe, name="unsubscribe"),
    path("u/<str:token>/reason", reason, name="reason"),
    path("c/<str:token>", confirm, name="confirm"),
    path("p/<str:token>", preferences, name="preferences"),
    path("privacy/<str:token>", privacy, name="privacy"),
    # Where Anymail has them.
    path("anymail/<str:provider>/tracking/", webhook, name="webhook"),
    path("anymail/mandrill/", webhook, {"provider": "mandrill"}, name="webhook_of_mandrill"),
]
