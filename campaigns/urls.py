from django.urls import path

from campaigns.views import (
    campaign,
    confirming,
    dashboard,
    ledger,
    listing,
    public,
    run,
    senders,
    steps,
    transports,
    verbs,
    webhooks,
)
from campaigns.views.reports import others, pages
from campaigns.views.templates import blocks, drafting, editor, history, pictures, preview, trial
from campaigns.views.templates import listing as templates

app_name = "campaigns"
urlpatterns = [
    path("", dashboard.dashboard, name="dashboard"),
    path("-/now/", dashboard.dashboard_now, name="dashboard_now"),
    path("campaigns/", listing.campaign_list, name="campaign_list"),
    path("campaigns/calendar/", listing.campaign_calendar, name="campaign_calendar"),
    path("campaigns/new/", campaign.campaign_new, name="campaign_new"),
    path("campaigns/<int:pk>/", campaign.campaign_detail, name="campaign_detail"),
    path("campaigns/<int:pk>/-/standing/", campaign.campaign_standing, name="campaign_standing"),
    path("campaigns/<int:pk>/content/", steps.campaign_content, name="campaign_content"),
    path("campaigns/<int:pk>/audience/", steps.campaign_audience, name="campaign_audience"),
    path("campaigns/<int:pk>/audience/-/count/", steps.campaign_count, name="campaign_count"),
    path("campaigns/<int:pk>/schedule/", steps.campaign_schedule, name="campaign_schedule"),
    path("campaigns/<int:pk>/schedule/-/times/", steps.campaign_times, name="campaign_times"),
    path("campaigns/<int:pk>/check/", steps.campaign_check, name="campaign_check"),
    path("campaigns/<int:pk>/check/-/job/", steps.campaign_check_job, name="campaign_check_job"),
    path("campaigns/<int:pk>/confirm/", confirming.campaign_confirm, name="campaign_confirm"),
    *(
        path(
            f"campaigns/<int:pk>/{name}/",
            verbs.campaign_verb,
            {"name": name},
            name=f"campaign_{name}",
        )
        for name in verbs.VERBS
    ),
    *(
        path(
            f"{kind}s/<int:pk>/report/{page and f'{page}/'}",
            pages.report,
            {"kind": kind, "page": page},
            name=pages.url_name(kind, page),
        )
        for kind in ("campaign", "run")
        for page in pages.PAGES
        if kind == "run" or page not in pages.OF_RUNS
    ),
    path("runs/<int:pk>/", run.run_detail, name="run_detail"),
    path("runs/<int:pk>/-/now/", run.run_now, name="run_now"),
    path("runs/<int:pk>/doubts/", run.run_doubts, name="run_doubts"),
    path("ledger/", ledger.delivery_list, name="delivery_list"),
    path("ledger/<int:pk>/", ledger.delivery_detail, name="delivery_detail"),
    path("campaigns/<int:pk>/ledger.csv", ledger.delivery_export, name="delivery_export"),
    path("reports/", others.report_comparison, name="report_comparison"),
    path("reports/summaries/", others.report_summaries, name="report_summaries"),
    path("lists/<int:pk>/growth/", others.list_growth, name="list_growth"),
    path("recipients/<int:pk>/history/", others.recipient_history, name="recipient_history"),
    path("transports/", transports.transport_list, name="transport_list"),
    path("transports/new/", transports.transport_new, name="transport_new"),
    path("transports/<int:pk>/", transports.transport_detail, name="transport_detail"),
    path("transports/<int:pk>/test/", transports.transport_test, name="transport_test"),
    path("transports/<int:pk>/delete/", transports.transport_delete, name="transport_delete"),
    path("webhooks/", webhooks.webhook_list, name="webhook_list"),
    path("webhooks/new/", webhooks.webhook_new, name="webhook_new"),
    path("webhooks/<int:pk>/", webhooks.webhook_detail, name="webhook_detail"),
    path("webhooks/<int:pk>/edit/", webhooks.webhook_edit, name="webhook_edit"),
    path("webhooks/<int:pk>/secret/", webhooks.webhook_secret, name="webhook_secret"),
    path("webhooks/<int:pk>/test/", webhooks.webhook_test, name="webhook_test"),
    path("webhooks/<int:pk>/replay/", webhooks.webhook_replay, name="webhook_replay"),
    path("webhooks/<int:pk>/delete/", webhooks.webhook_delete, name="webhook_delete"),
    path("senders/", senders.sender_list, name="sender_list"),
    path("senders/new/", senders.sender_new, name="sender_new"),
    path("senders/<int:pk>/", senders.sender_detail, name="sender_detail"),
    path("senders/<int:pk>/-/found/", senders.sender_found, name="sender_found"),
    path("senders/<int:pk>/check/", senders.sender_check, name="sender_check"),
    path("senders/<int:pk>/delete/", senders.sender_delete, name="sender_delete"),
    path("templates/", templates.template_list, name="template_list"),
    path("templates/blank/", editor.template_blank, name="template_blank"),
    path("templates/blank/-/live/", drafting.template_blank_live, name="template_blank_live"),
    path("templates/blank/preview/", preview.template_blank_preview, name="template_blank_preview"),
    path("templates/-/frame/<str:token>/", preview.template_frame, name="template_frame"),
    path("templates/<int:pk>/", templates.template_detail, name="template_detail"),
    path("templates/<int:pk>/delete/", templates.template_delete, name="template_delete"),
    path("templates/<int:pk>/edit/", editor.template_edit, name="template_edit"),
    path("templates/<int:pk>/edit/-/live/", drafting.template_live, name="template_live"),
    path("templates/<int:pk>/blocks/", blocks.template_blocks, name="template_blocks"),
    path("templates/<int:pk>/preview/", preview.template_preview, name="template_preview"),
    path("templates/<int:pk>/test/", trial.template_test, name="template_test"),
    path("templates/<int:pk>/versions/", history.template_versions, name="template_versions"),
    path(
        "templates/<int:pk>/versions/<int:number>/preview/",
        preview.template_version,
        name="template_version",
    ),
    path(
        "templates/<int:pk>/versions/<int:number>/restore/",
        history.template_restore,
        name="template_restore",
    ),
    path(
        "templates/<int:pk>/versions/<int:number>/pictures/",
        pictures.template_pictures,
        name="template_pictures",
    ),
    path(
        "templates/<int:pk>/versions/<int:number>/pictures/<int:picture>/",
        pictures.template_picture,
        name="template_picture",
    ),
    path("c/<str:token>/<int:number>", public.follow, name="follow"),
    path("v/links", public.links, name="links"),
    path("v/<str:token>", public.view, name="view"),
]
