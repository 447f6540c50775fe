"""What a template may do in the frame that shows it: be looked at, and nothing else."""

from playwright.sync_api import Frame, Page, Request, Route, expect

from templates_app.models import EmailTemplate, Kind
from templates_app.services import save_template
from tests.browser.conftest import Visit

# What an author could write who may write HTML that is not sanitised.
WILD = """<!doctype html><html><body>
<h1>Hello</h1>
<script>document.title = 'ran'; parent.document.title = 'taken';</script>
<img alt="" src="data:," onerror="parent.document.title = 'taken'">
<form method="post" action="https://elsewhere.example/post"><button>Post</button></form>
<p><a href="https://elsewhere.example/page">Leave</a></p>
<p><a target="_top" href="https://elsewhere.example/top">Take over</a></p>
<iframe title="A page" src="/account/"></iframe>
</body></html>"""
PICTURE = '<p>Hello</p><img alt="" src="https://elsewhere.example/a.png">'


def raw_template(html: str) -> EmailTemplate:
    template = EmailTemplate(name="Wild", kind=Kind.HTML, subject="Wild", source=html, is_raw=True)
    save_template(template, known=(), may_write_raw=True)
    return template


def open_frame(visit: Visit, template: EmailTemplate) -> Frame:
    visit.open(f"/templates/{template.pk}/preview/")
    element = visit.page.locator("iframe.preview").element_handle()
    assert element
    frame = element.content_frame()
    assert frame
    expect(frame.get_by_text("Hello")).to_be_visible()
    return frame


def all_that_is_asked_of(page: Page, host: str) -> list[Request]:
    asked: list[Request] = []

    def answer(route: Route) -> None:
        asked.append(route.request)
        route.fulfill(body="")

    page.context.route(f"{host}/**", answer)
    return asked


def test_in_its_frame_a_template_runs_nothing_posts_nothing_and_leads_nowhere(
    visit: Visit,
) -> None:
    asked = all_that_is_asked_of(visit.page, "https://elsewhere.example")
    frame = open_frame(visit, raw_template(WILD))

    for name in ("Post", "Leave", "Take over"):
        frame.get_by_text(name, exact=True).click()

    assert visit.page.title().startswith("Preview: Wild")
    assert visit.page.url.startswith(visit.site)
    assert len(visit.page.context.pages) == 1
    assert asked == []
    assert frame.title() == ""
    assert [each.url for each in frame.child_frames if each.url.startswith(visit.site)] == []
    # It is of nobody's origin: the page around it and its cookies are out of its reach.
    assert frame.evaluate("origin") == "null"
    for secret in ("parent.document.body", "document.cookie", "localStorage"):
        assert frame.evaluate(f"try {{ {secret}; 'told' }} catch {{ 'kept' }}") == "kept"
    visit.wrong.clear()  # the browser says of each that it was blocked


def test_a_picture_that_lies_elsewhere_is_not_told_who_looks_at_it(visit: Visit) -> None:
    asked = all_that_is_asked_of(visit.page, "https://elsewhere.example")

    with visit.page.expect_event("requestfinished", lambda each: each.url.endswith("/a.png")):
        open_frame(visit, raw_template(PICTURE))

    [picture] = asked
    assert not {"referer", "cookie", "origin"} & picture.all_headers().keys()
    assert visit.wrong == ["another host: https://elsewhere.example/a.png"]
    visit.wrong.clear()
