from django.contrib import admin
from django.urls import include, path

from config import views

handler403 = views.forbidden

urlpatterns = [
    path("healthz", views.healthz, name="healthz"),
    path("admin/", admin.site.urls),
    path("", include("recipients.urls")),
    path("", include("tracking.urls")),
    path("", include("templates_app.urls")),
    path("", include("campaigns.urls")),
]
