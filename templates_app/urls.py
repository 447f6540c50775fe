from django.urls import path

from templates_app.views import media, moving, public

app_name = "templates_app"
urlpatterns = [
    path("templates/new/", moving.template_new, name="template_new"),
    path("templates/import/", moving.template_import, name="template_import"),
    path("templates/<int:pk>/export/", moving.template_export, name="template_export"),
    path("media/", media.media_list, name="media_list"),
    path("media/upload/", media.media_upload, name="media_upload"),
    path("media/<int:pk>/", media.media_detail, name="media_detail"),
    path("media/<int:pk>/delete/", media.media_delete, name="media_delete"),
    path("media/<int:pk>/download/", media.media_download, name="media_download"),
    path("m/<str:token>/<str:name>", public.media, name="media"),
]
