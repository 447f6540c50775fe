from django.urls import path

from recipients import views

app_name = "recipients"
urlpatterns = [
    # No slash at the end: APPEND_SLASH would answer a form of another site with a redirect.
    path("subscribe/<slug:slug>", views.subscribe, name="subscribe"),
]
