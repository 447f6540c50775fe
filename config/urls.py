from django.contrib import admin
from django.urls import include, path

from config import views
from config.accounts.urls import console_doors
from config.web import health, metrics

handler403 = views.forbidden

urlpatterns = [
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
    path("", include("config.accounts.urls")),
    *console_doors,
    path("api/v1/", include("config.api.urls")),
    path("health/", health.health, name="health"),
    path("health/-/now/", health.health_now, name="health_now"),
    path("admin/", admin.site.urls),
    path("", include("recipients.urls")),
    path("", include("tracking.urls")),
    path("", include("templates_app.urls")),
    path("", include("campaigns.urls")),
]
