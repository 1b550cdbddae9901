"""Requests made from the registry's own OpenAPI document."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

EXAMPLES = 5
# It wants 2xx for what the document allows, but no JSON Schema can say what an Avro schema is.
UNSAYABLE = [positive_data_acceptance]
SUBJECT = "product.acme.wind-value"


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_generated_requests_are_answered_as_documented(world: Any, mode: GenerationMode) -> None:
    """Whatever the document allows, and what it does not: no 500, no status it does not name."""
    headers = {"Authorization": f"Bearer {world.tokens['acme']}"}
    with world.http("acme") as http:
        http.post(f"/subjects/{SUBJECT}/versions", json={"schema": '"int"'})
        document = http.get("/openapi.json").json()
    loaded = schemathesis.openapi.from_dict(document)
    loaded.config.update(base_url=world.url)
    operations = [found.ok() for found in loaded.get_all_operations()]
    assert len(operations) > 20
    for operation in operations:
        if mode is GenerationMode.NEGATIVE and not _can_be_wrong(document, operation):
            continue

        @seed(1)
        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=EXAMPLES,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def check(case: Any) -> None:
            answer = case.call(headers=headers)
            case.validate_response(answer, headers=headers, excluded_checks=UNSAYABLE)

        check()


def _can_be_wrong(document: Any, operation: Any) -> bool:
    """A path of texts alone has nothing that its document forbids."""
    found = document["paths"][operation.path][operation.method]
    return "requestBody" in found or any(p["in"] == "query" for p in found.get("parameters", ()))
