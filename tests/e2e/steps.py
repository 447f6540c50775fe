"""What a user does, by the commands, in the end-to-end tests."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from campaigns.models import Run
from tests.live import Live, wait_until

Installation = Callable[..., AbstractContextManager[Live]]

HTML = "<h1>Hello {{ first_name }}</h1><p><a href='{{ unsubscribe_url }}'>Unsubscribe</a></p>"


def import_list(live: Live, folder: Path, count: int) -> list[str]:
    addresses = [f"r{number:04}@example.org" for number in range(count)]
    lines = ["email,first_name", *(f"{address},Name{address[:5]}" for address in addresses)]
    (folder / "recipients.csv").write_text("\n".join(lines))
    (folder / "news.html").write_text(HTML)
    live.manage("import_recipients", str(folder / "recipients.csv"), "--list", "Readers")
    live.manage("create_template", "News", "--subject", "News for {{ first_name }}",
                "--html", str(folder / "news.html"))  # fmt: skip
    return addresses


def create_campaign(live: Live, *when: str) -> str:
    return live.manage(
        "create_campaign", "Spring", "--template", "News", "--list", "Readers",
        "--sender", "News <news@example.org>", *when,
    ).stdout.strip()  # fmt: skip


def wait_for_end(campaign: str) -> Run:
    return wait_until(
        lambda: Run.objects.filter(campaign=campaign, finished_at__isnull=False).first(),
        "the run has ended",
    )
