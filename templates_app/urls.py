from django.urls import path

from templates_app.views import moving, public

app_name = "templates_app"
urlpatterns = [
    path("templates/new/", moving.template_new, name="template_new"),
    path("templates/import/", moving.template_import, name="template_import"),
    path("templates/<int:pk>/export/", moving.template_export, name="template_export"),
    path("m/<str:token>/<str:name>", public.media, name="media"),
]
