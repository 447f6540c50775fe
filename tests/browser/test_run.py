"""A run's page in a browser: it follows by itself, and says what matters aloud."""

from campaigns.models import Run, RunStatus
from tests.browser.conftest import Visit
from tests.factories import make_campaign, make_list, make_recipients, make_run


def test_a_run_that_is_paused_elsewhere_is_said_aloud_and_may_be_resumed(visit: Visit) -> None:
    readers = make_list()
    make_recipients(3, mailing_list=readers)
    run = make_run(make_campaign("Spring", lists=[readers]))
    visit.open(f"/runs/{run.pk}/")

    Run.objects.filter(pk=run.pk).update(status=RunStatus.PAUSED)

    visit.page.locator("#say").filter(has_text="Paused.").wait_for(state="attached")
    assert visit.page.get_by_role("link", name="Resume").is_visible()
    assert visit.page.title().startswith("Paused: Spring")
