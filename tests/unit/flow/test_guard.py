"""Topics that cannot be confirmed: the batch set is aborted and tried again by the same clients."""

import pytest

from broker.errors import PoisonedBatchError
from broker.log.memory import Outcome
from tests.unit.flow.one_lane import OneLane


@pytest.mark.parametrize("outcome", [Outcome.REQUEST_LOST, Outcome.ANSWER_LOST])
def test_unanswered_question_aborts_and_is_asked_again(one: OneLane, outcome: Outcome) -> None:
    """Nothing is visible without the answer; with it the same records are there, once."""
    clients = one.lane._clients
    asked: list[str] = []

    def interfere(_client: str, verb: str) -> Outcome:
        if verb != "topic_ids":
            return Outcome.DONE
        asked.append(verb)
        return outcome if len(asked) <= 3 else Outcome.DONE

    one.world.log.interfere(interfere)
    one.send()
    for times in (1, 2, 3):
        one.turn(1)
        assert len(asked) == times
        assert one.delivered() == 1
        assert one.world.log.open_transactions() == []
    one.turn()
    assert one.delivered() == 2
    assert one.lane._clients is clients
    one.world.check()


def test_commit_says_what_was_not_confirmed(one: OneLane) -> None:
    """The error is one that the lane answers with an abort."""
    one.world.log.interfere(
        lambda _client, verb: Outcome.REQUEST_LOST if verb == "topic_ids" else Outcome.DONE
    )
    one.send()
    batches = one.lane.poll()
    assert batches is not None
    metered = one.lane.meter(batches, one.lane.route(batches, one.lane.enforce(batches)))
    with pytest.raises(PoisonedBatchError, match="not confirmed"):
        one.lane.commit(batches, metered)
