from django.urls import path

from campaigns.views import campaign, confirming, dashboard, listing, public, steps, verbs

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
    path("c/<str:token>/<int:number>", public.follow, name="follow"),
    path("v/links", public.links, name="links"),
    path("v/<str:token>", public.view, name="view"),
]
