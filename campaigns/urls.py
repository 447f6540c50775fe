from django.urls import path

from campaigns import views

app_name = "campaigns"
urlpatterns = [
    path("v/links", views.links, name="links"),
    path("v/<str:token>", views.view, name="view"),
]
