"""Confluent's own client, unchanged, against the registry."""

import json
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

SUBJECT = "product.acme.wind-value"
READING: dict[str, Any] = {
    "type": "record",
    "name": "Reading",
    "fields": [{"name": "turbine", "type": "string"}, {"name": "power", "type": "double"}],
}
WIDER = {
    **READING,
    "fields": [*READING["fields"], {"name": "gust", "type": "double", "default": 0}],
}
BROKEN = {**READING, "fields": [*READING["fields"], {"name": "gust", "type": "double"}]}


def context(topic: str) -> SerializationContext:
    return SerializationContext(topic, MessageField.VALUE)


def schema(tree: object) -> Schema:
    return Schema(json.dumps(tree), "AVRO")


def test_a_producer_registers_and_a_buyer_reads(world: Any) -> None:
    """AvroSerializer registers by itself; the buyer's AvroDeserializer reads what is delivered."""
    world.subscribe("grid/forecast")
    serialise = AvroSerializer(world.client("acme"), json.dumps(READING))
    value = serialise({"turbine": "R1", "power": 1.5}, context("product.acme.wind"))
    assert value is not None
    assert value[0] == 0
    buyer = AvroDeserializer(world.client("grid"))
    read = buyer(value, context("delivery.grid.forecast"))
    assert read == {"turbine": "R1", "power": 1.5}
    assert buyer(value, context("delivery.grid.forecast")) == read  # from the client's cache


def test_a_key_is_registered_under_its_own_subject(world: Any) -> None:
    """A key serialiser falls back to `<topic>-key`, which the buyer may read too."""
    world.subscribe("grid/forecast")
    serialise = AvroSerializer(world.client("acme"), '"string"')
    key = serialise("R1", SerializationContext("product.acme.wind", MessageField.KEY))
    assert world.client("acme").get_subjects() == ["product.acme.wind-key"]
    buyer = AvroDeserializer(world.client("grid"))
    assert buyer(key, SerializationContext("delivery.grid.forecast", MessageField.KEY)) == "R1"


def test_a_product_of_tomorrow_can_be_registered_today(world: Any) -> None:
    """Without an association the client falls back to the topic's name."""
    serialise = AvroSerializer(world.client("acme"), json.dumps(READING))
    assert serialise({"turbine": "R1", "power": 1.5}, context("product.acme.solar"))
    assert world.client("acme").get_subjects() == ["product.acme.solar-value"]


def test_a_consumer_of_older_make_names_the_delivery_topic(world: Any) -> None:
    """`?subject=<delivery topic>-value` is no subject of ours and changes nothing."""
    world.subscribe("grid/forecast")
    schema_id = world.client("acme").register_schema(SUBJECT, schema(READING))
    found = world.client("grid").get_schema(schema_id, "delivery.grid.forecast-value")
    assert json.loads(found.schema_str) == READING


def test_registering_twice_gives_one_id(world: Any) -> None:
    """Whitespace and the order of keys make no other schema."""
    first = world.client("acme").register_schema(SUBJECT, schema(READING))
    again = Schema(json.dumps(dict(reversed(READING.items())), indent=4), "AVRO")
    assert world.client("acme").register_schema(SUBJECT, again) == first
    assert world.client("acme").get_versions(SUBJECT) == [1]


def test_everything_a_client_asks_of_a_subject(world: Any) -> None:
    """Versions, lookup, latest, by id and by GUID agree with each other."""
    client: SchemaRegistryClient = world.client("acme")
    first = client.register_schema(SUBJECT, schema(READING))
    second = client.register_schema(SUBJECT, schema(WIDER))
    assert client.get_versions(SUBJECT) == [1, 2]
    latest = client.get_latest_version(SUBJECT)
    assert (latest.version, latest.schema_id) == (2, second)
    found = client.lookup_schema(SUBJECT, schema(READING))
    assert (found.version, found.schema_id) == (1, first)
    assert client.lookup_schema(SUBJECT, schema(READING), normalize_schemas=True).version == 1
    assert client.get_version(SUBJECT, 1).schema_id == first
    fresh: SchemaRegistryClient = world.client("acme")  # the other answers from its cache
    assert fresh.get_schema_by_guid(found.guid) == world.client("acme").get_schema(first)
    assert client.get_subjects_by_schema_id(first) == [SUBJECT]
    assert [(v.subject, v.version) for v in client.get_schema_versions(second)] == [(SUBJECT, 2)]
    assert client.get_schema_types() == ["AVRO"]
    assert client.get_contexts() == ["."]
    assert client.get_referenced_by(SUBJECT, 1) == []


def test_levels_and_compatibility(world: Any) -> None:
    """A subject's level comes before the organisation's, which comes before BACKWARD."""
    client = world.client("acme")
    client.register_schema(SUBJECT, schema(READING))
    assert client.get_compatibility() == "BACKWARD"
    assert client.test_compatibility(SUBJECT, schema(WIDER))
    assert not client.test_compatibility(SUBJECT, schema(BROKEN))
    assert not client.test_compatibility_all_versions(SUBJECT, schema(BROKEN))
    with pytest.raises(SchemaRegistryError) as refused:
        client.register_schema(SUBJECT, schema(BROKEN))
    assert refused.value.http_status_code == 409
    assert "schema.fields[2]" in refused.value.error_message
    assert "gust" in refused.value.error_message

    client.set_compatibility(level="full_transitive")
    assert client.get_compatibility() == "FULL_TRANSITIVE"
    assert world.client("rival").get_compatibility() == "BACKWARD"
    with pytest.raises(SchemaRegistryError) as absent:
        client.get_compatibility(SUBJECT)
    assert absent.value.error_code == 40408
    client.set_compatibility(SUBJECT, "NONE")
    assert client.get_compatibility(SUBJECT) == "NONE"
    assert client.register_schema(SUBJECT, schema(BROKEN)) > 0
    client.delete_config(SUBJECT)
    client.delete_config()
    assert client.get_compatibility() == "BACKWARD"


def test_deletion_hides_and_ids_stay(world: Any) -> None:
    """Soft deletion, then permanent; numbers go on and ids stay readable for the buyer too."""
    world.subscribe("grid/forecast")
    client = world.client("acme")
    first = client.register_schema(SUBJECT, schema(READING))
    with pytest.raises(SchemaRegistryError) as early:
        client.delete_version(SUBJECT, 1, permanent=True)
    assert early.value.error_code == 40407
    assert client.delete_version(SUBJECT, 1) == 1
    with pytest.raises(SchemaRegistryError) as twice:
        client.delete_version(SUBJECT, 1)
    assert twice.value.error_code == 40406
    assert client.get_subjects() == []
    assert client.get_subjects(deleted=True) == [SUBJECT]
    assert client.get_subjects(deleted_only=True) == [SUBJECT]
    # A client that has registered it before answers from its cache and does not ask.
    assert world.client("acme").register_schema(SUBJECT, schema(READING)) == first
    assert client.get_versions(SUBJECT) == [2]
    assert client.get_versions(SUBJECT, deleted_only=True) == [1]
    with pytest.raises(SchemaRegistryError) as live:
        client.delete_subject(SUBJECT, permanent=True)
    assert live.value.error_code == 40405
    assert client.delete_subject(SUBJECT) == [2]
    with pytest.raises(SchemaRegistryError) as deleted:
        client.delete_subject(SUBJECT)
    assert deleted.value.error_code == 40404
    assert client.delete_subject(SUBJECT, permanent=True) == [1, 2]
    with pytest.raises(SchemaRegistryError) as gone:
        client.get_versions(SUBJECT, deleted=True)
    assert gone.value.error_code == 40401
    assert json.loads(world.client("grid").get_schema(first).schema_str) == READING
    assert client.register_schema(SUBJECT, schema(WIDER)) != first
    assert client.get_versions(SUBJECT) == [3]


def test_modes_cannot_be_changed(world: Any) -> None:
    """READWRITE is what there is; another is refused with a sentence."""
    client = world.client("acme")
    client.register_schema(SUBJECT, schema(READING))
    assert client.get_global_mode() == "READWRITE"
    assert client.get_mode(SUBJECT) == "READWRITE"
    with pytest.raises(SchemaRegistryError, match="cannot be changed"):
        client.update_global_mode("READONLY")
    with pytest.raises(SchemaRegistryError, match="cannot be changed"):
        client.update_mode(SUBJECT, "READONLY")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", 42201),
        ('{"type":"array","items":"null"}', 42201),
        ("[" * 60_000, 42201),
    ],
)
def test_a_schema_bomb_is_refused(world: Any, text: str, code: int) -> None:
    """What breaks a rule of schemas is refused by its place and never gets an id."""
    client = world.client("acme")
    with pytest.raises(SchemaRegistryError) as refused:
        client.register_schema(SUBJECT, Schema(text, "AVRO"))
    assert (refused.value.http_status_code, refused.value.error_code) == (422, code)
    assert "schema" in refused.value.error_message
    assert client.get_subjects() == []
