"""Whatever the OpenAPI schema allows, and much that it forbids, gets a documented answer."""

import os
import shutil
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import positive_data_acceptance

from app.api.application import create_app
from app.settings import Settings
from tests_support import Indexed, clean_environment

# Cases of each of the operations: two thousand in all.
CASES = int(os.environ.get("SEMSEARCH_TEST_SCHEMA_CASES", "150"))


LIMITS = settings(
    max_examples=CASES,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
HOST = {"Host": "127.0.0.1"}


@pytest.fixture(scope="module")
def schema(indexed: Indexed, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Of a service of its own: some of the cases write."""
    home = tmp_path_factory.mktemp("schema") / "home"
    shutil.copytree(indexed.home, home)
    with clean_environment(home):
        app = create_app(Settings.load(flags={"model": "minilm"}))
    return schemathesis.openapi.from_asgi("/openapi.json", app, headers=HOST)


def test_every_answer_is_documented(schema: Any) -> None:
    """All of schemathesis' checks but one: what a schema allows may be no filter or no text."""
    faults: dict[str, BaseException] = {}
    tried = 0

    def count(case: Case) -> None:
        nonlocal tried
        tried += 1
        case.call_and_validate(headers=HOST, excluded_checks=[positive_data_acceptance])

    for found in schema.get_all_operations():
        operation = found.ok()
        cases = given(case=operation.as_strategy())
        try:
            LIMITS(cases(count))()
        except (AssertionError, FailureGroup) as fault:
            faults[operation.label] = fault
    shown = "\n\n".join(f"{label}:\n{fault}" for label, fault in faults.items())
    assert not faults, shown
    assert tried >= CASES * 14  # operations without parameters have one case each
