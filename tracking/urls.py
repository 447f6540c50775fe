from django.urls import path

from tracking import views

app_name = "tracking"
urlpatterns = [
    # No slash at the end: APPEND_SLASH would answer a one-click POST with a redirect.
    path("u/<str:token>", views.unsubscribe, name="unsubscribe"),
]
