"""PostgreSQL and Redis are killed in mid-run."""

import threading
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from config.embedded.services import Services
from tests.e2e.apart import (
    PEOPLE,
    create_campaign,
    installation_on,
    kill,
    own_services,
    wait_for_end,
)
from tests.live import wait_until
from tests.smtp_server import ScriptedSMTP, hold


@pytest.fixture
def services() -> Iterator[Services]:
    with own_services() as services:
        yield services


def test_a_run_goes_on_by_itself_when_a_server_was_killed_and_is_back(
    services: Services, smtp: ScriptedSMTP, tmp_path: Path
) -> None:
    killed_at = {PEOPLE[40]: "postgresql", PEOPLE[120]: "redis"}
    events = {address: threading.Event() for address in killed_at}
    for address, event in events.items():
        smtp.script(hold("dot", event), recipient=address)
    fast = {"REDISPATCH_SECONDS": "1", "SWEEP_SECONDS": "1"}
    with installation_on(services, tmp_path, EMAIL_URL=smtp.url, **fast) as installation:
        campaigns = [create_campaign(installation, "Spring")]
        installation.worker(queues="campaigns")
        installation.worker(queues="control,maintenance")
        installation.beat()
        for address, server in killed_at.items():
            smtp.wait_for_command(f"RCPT TO:<{address}>")
            kill(services, server)
            # Its message is handed over while the server is away.
            events[address].set()
            wait_until(partial(smtp.messages_to, address), f"{address} got its message")
            if server == "redis":
                # Due at a time when nobody can be told.
                campaigns.append(create_campaign(installation, "Summer"))
            services.up()
        ended = [wait_for_end(installation, campaign) for campaign in campaigns]
        installation.manage("verify_ledger")

    assert Counter(message.recipient for message in smtp.messages) == Counter(PEOPLE * 2)
    assert [status["counts"]["sent"] for status in ended] == [200, 200]
