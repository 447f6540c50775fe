from django.urls import path

from campaigns import views

app_name = "campaigns"
urlpatterns = [
    path("c/<str:token>/<int:number>", views.follow, name="follow"),
    path("v/links", views.links, name="links"),
    path("v/<str:token>", views.view, name="view"),
]
