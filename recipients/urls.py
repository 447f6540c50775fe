from django.urls import path

from recipients.views import imports, public

app_name = "recipients"
urlpatterns = [
    # No slash at the end: APPEND_SLASH would answer a form of another site with a redirect.
    path("subscribe/<slug:slug>", public.subscribe, name="subscribe"),
    path("imports/", imports.import_list, name="import_list"),
    path("imports/new/", imports.import_add, name="import_add"),
    path("imports/<int:pk>/", imports.import_detail, name="import_detail"),
    path("imports/<int:pk>/-/now/", imports.import_now, name="import_now"),
    path("imports/<int:pk>/columns/", imports.import_columns, name="import_columns"),
    path("imports/<int:pk>/undo/", imports.import_undo, name="import_undo"),
    path("imports/<int:pk>/rejected.csv", imports.import_rejected, name="import_rejected"),
]
