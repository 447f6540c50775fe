from django.urls import path

from recipients.views import (
    bulk,
    exports,
    fields,
    imports,
    lists,
    people,
    person_verbs,
    public,
    segments,
    suppression,
)

app_name = "recipients"
urlpatterns = [
    # No slash at the end: APPEND_SLASH would answer a form of another site with a redirect.
    path("subscribe/<slug:slug>", public.subscribe, name="subscribe"),
    path("recipients/", people.recipient_list, name="recipient_list"),
    path("recipients/new/", people.recipient_add, name="recipient_add"),
    path("recipients/several/", bulk.recipient_bulk, name="recipient_bulk"),
    path("recipients/duplicates/", person_verbs.duplicate_list, name="duplicate_list"),
    path("recipients/<int:pk>/", people.recipient_detail, name="recipient_detail"),
    path("recipients/<int:pk>/edit/", people.recipient_edit, name="recipient_edit"),
    path("recipients/<int:pk>/subscribe/", people.recipient_subscribe, name="recipient_subscribe"),
    path(
        "recipients/<int:pk>/lists/<int:list_pk>/leave/",
        person_verbs.recipient_leave,
        name="recipient_leave",
    ),
    path(
        "recipients/<int:pk>/suppress/", person_verbs.recipient_suppress, name="recipient_suppress"
    ),
    path(
        "recipients/<int:pk>/hand-out/", person_verbs.recipient_hand_out, name="recipient_hand_out"
    ),
    path("recipients/<int:pk>/erase/", person_verbs.recipient_erase, name="recipient_erase"),
    path("recipients/<int:pk>/merge/", person_verbs.recipient_merge, name="recipient_merge"),
    path("recipients/<int:pk>/consent/", person_verbs.recipient_consent, name="recipient_consent"),
    path("lists/", lists.list_list, name="list_list"),
    path("lists/new/", lists.list_add, name="list_add"),
    path("lists/<int:pk>/", lists.list_detail, name="list_detail"),
    path("lists/<int:pk>/edit/", lists.list_edit, name="list_edit"),
    path("lists/<int:pk>/forms/new/", lists.signup_add, name="signup_add"),
    path("lists/<int:pk>/forms/<int:form_pk>/", lists.signup_edit, name="signup_edit"),
    path("segments/", segments.segment_list, name="segment_list"),
    path("segments/new/", segments.segment_add, name="segment_add"),
    path("segments/<int:pk>/", segments.segment_edit, name="segment_edit"),
    path("segments/<int:pk>/delete/", segments.segment_delete, name="segment_delete"),
    path("fields/", fields.field_list, name="field_list"),
    path("fields/new/", fields.field_add, name="field_add"),
    path("fields/<int:pk>/", fields.field_edit, name="field_edit"),
    path("fields/<int:pk>/delete/", fields.field_delete, name="field_delete"),
    path("tags/", fields.tag_list, name="tag_list"),
    path("tags/new/", fields.tag_add, name="tag_add"),
    path("tags/<int:pk>/", fields.tag_edit, name="tag_edit"),
    path("tags/<int:pk>/delete/", fields.tag_delete, name="tag_delete"),
    path("suppression/", suppression.suppression_list, name="suppression_list"),
    path("suppression/add/", suppression.suppression_add, name="suppression_add"),
    path("suppression/<int:pk>/lift/", suppression.suppression_lift, name="suppression_lift"),
    path("exports/", exports.export_list, name="export_list"),
    path("exports/<int:pk>/file/", exports.export_file, name="export_file"),
    path("imports/", imports.import_list, name="import_list"),
    path("imports/new/", imports.import_add, name="import_add"),
    path("imports/<int:pk>/", imports.import_detail, name="import_detail"),
    path("imports/<int:pk>/-/now/", imports.import_now, name="import_now"),
    path("imports/<int:pk>/columns/", imports.import_columns, name="import_columns"),
    path("imports/<int:pk>/undo/", imports.import_undo, name="import_undo"),
    path("imports/<int:pk>/rejected.csv", imports.import_rejected, name="import_rejected"),
]
