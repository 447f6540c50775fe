"""Whether the API does what its description promises, whatever is sent: Schemathesis asks it."""

from typing import Any

import pytest
import schemathesis
from django.contrib.auth.models import User
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as asking
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer
from schemathesis.checks import not_a_server_error
from schemathesis.config import GenerationConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from config.api.access import OPERATIONS
from config.api.api import api
from tests.api import program
from tests.campaigns.webhooks.steps import make_call, make_endpoint
from tests.factories import make_campaign, make_list, make_past_run, make_recipient, make_segment

pytestmark = pytest.mark.django_db(transaction=True)

DESCRIPTION: dict[str, Any] = dict(api.get_openapi_schema(path_prefix="/api/v1/"))
EACH = 3  # requests of an operation
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    allow_header_conformance,
]
_GENERATION = GenerationConfig(max_examples=EACH, deterministic=True, database="none")
SCHEMA = schemathesis.openapi.from_dict(
    DESCRIPTION,
    config=SchemathesisConfig(
        projects=ProjectsConfig(default=ProjectConfig(generation=_GENERATION))
    ),
)


@pytest.fixture
def secret(settings: Settings) -> str:
    """A key for everything, in an installation that has one of each kind."""
    settings.API_RATE_LIMIT = 1_000_000
    settings.ACCOUNT_RATE_LIMITS = False
    readers = make_list()
    make_recipient(lists=[readers])
    make_segment()
    make_past_run(make_campaign(lists=[readers]), sent=1)
    make_call(make_endpoint())
    return program(user=User.objects.create_superuser("root")).secret


def test_every_answer_is_one_that_the_description_promises(
    live_server: LiveServer, secret: str, disk: Any, broker: Any
) -> None:
    asked = 0
    for result in SCHEMA.get_all_operations():
        operation: Any = result.ok()  # type: ignore[union-attr]  # what is not, raises

        @asking(
            max_examples=EACH,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            nonlocal asked
            asked += 1
            case.call_and_validate(
                base_url=live_server.url,
                headers={"Authorization": f"Bearer {secret}"},
                checks=CHECKS,
            )

        ask()

    assert asked >= 2 * len(OPERATIONS)
