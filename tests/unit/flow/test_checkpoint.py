"""Checkpoints: what the offset's metadata string says."""

import pytest

from broker.flow.chain import Chain, UsagePlace
from broker.flow.checkpoint import from_metadata, to_metadata

CHAIN = Chain("6f1c1f0e-5f0e-4a0e-9f0e-5f0e4a0e9f0e", 112, 7, bytes(range(32)), 9, 5, None)


def test_checkpoint_survives_its_string() -> None:
    """A chain reads back as it was, and the string is far below Kafka's 4,095 bytes."""
    chain = Chain(
        CHAIN.topic_id, 112, 2**62, CHAIN.digest, 2**62, 2**62, UsagePlace(3, 2**62, 2**62)
    )
    metadata = to_metadata(chain)
    assert from_metadata(metadata, 112) == chain
    assert len(metadata) < 400


@pytest.mark.parametrize("metadata", ["", "x", "{}", '{"v":2}', '{"v":1,"usage":null}', "[]", "1"])
def test_foreign_metadata_is_no_checkpoint(metadata: str) -> None:
    """What another program wrote there is not taken for a checkpoint."""
    assert from_metadata(metadata, 5) is None
