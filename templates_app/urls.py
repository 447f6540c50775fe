from django.urls import path

from templates_app import views

app_name = "templates_app"
urlpatterns = [
    path("m/<str:token>/<str:name>", views.media, name="media"),
]
