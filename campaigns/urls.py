from django.urls import path

from campaigns.views import dashboard, public

app_name = "campaigns"
urlpatterns = [
    path("", dashboard.dashboard, name="dashboard"),
    path("-/now/", dashboard.dashboard_now, name="dashboard_now"),
    path("c/<str:token>/<int:number>", public.follow, name="follow"),
    path("v/links", public.links, name="links"),
    path("v/<str:token>", public.view, name="view"),
]
