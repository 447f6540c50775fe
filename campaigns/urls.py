from django.urls import path

from campaigns.views import (
    campaign,
    confirming,
    dashboard,
    ledger,
    listing,
    public,
    run,
    steps,
    verbs,
)
from campaigns.views.reports import others, pages

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
    path("c/<str:token>/<int:number>", public.follow, name="follow"),
    path("v/links", public.links, name="links"),
    path("v/<str:token>", public.view, name="view"),
]
