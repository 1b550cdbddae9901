"""Requests made from the API's own OpenAPI document."""

import contextlib
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

EXAMPLES = 5
# It wants 2xx for whatever the document allows; here 422 is right too, for what no JSON Schema can
# say: the field that is named, and words of the rule.
JUDGED_BEYOND_THE_SCHEMA = {
    "cursor": "begin without it",
    "price": "",  # tiers rise, names are unique, a maximum is above the minimum
    "end_ms": "",  # not in the future, after the close before
    "retention_ms": "for its published plans",
    "partitions": "cannot be lowered",
    "period": "the dispute window",
    "id": "the product's organisation",
    "product": "the buyer's own",
}


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("asks", ["operator", "seller"])
def test_generated_requests_are_answered_as_documented(
    world: Any, trade: Any, asks: str, mode: GenerationMode
) -> None:
    """Whatever the document allows, and what it does not: no 500, no answer it does not name."""
    world.active("grid/wind", "acme/wind", "acme/basic", trade.buyer, trade.seller)
    headers = world.operator if asks == "operator" else trade.seller
    document = schemathesis.openapi.from_asgi("/v1/openapi.json", world.client.app)
    document.config.generation.update(with_security_parameters=False)  # we send a good token
    operations = [found.ok() for found in document.get_all_operations()]
    assert len(operations) > 40
    for operation in operations:

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
            if mode is GenerationMode.POSITIVE:
                _aim(case)
            answer = case.call(headers=headers)
            case.validate_response(
                answer, headers=headers, excluded_checks=[positive_data_acceptance]
            )
            if mode is GenerationMode.POSITIVE and answer.status_code == 422:
                assert _is_beyond_the_schema(answer.json()), answer.json()

        # A path alone, or a body that may be left out, can have nothing that is forbidden.
        with contextlib.suppress(Unsatisfiable):
            check()


def _is_beyond_the_schema(problem: Any) -> bool:
    # One pattern cannot bound each half of an id by itself.
    if "must have at most 40 characters" in problem["detail"]:
        return True
    words = JUDGED_BEYOND_THE_SCHEMA.get(problem["field"].partition(".")[0])
    return words is not None and words in problem["detail"]


def _aim(case: Any) -> None:
    """Turn a path of made-up names to what exists, where it is a path of names."""
    if not case.path.startswith("/v1/organisations") and "name" in case.path_parameters:
        names = {"plans": "basic", "subscriptions": "wind", "products": "wind"}
        noun = case.path.split("/")[2]
        if noun in names and len(case.path_parameters["name"]) % 2:
            organisation = "grid" if noun == "subscriptions" else "acme"
            case.path_parameters |= {"organisation": organisation, "name": names[noun]}
