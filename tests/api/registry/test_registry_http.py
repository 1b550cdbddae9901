"""What the registry answers to odd requests, and what routers are told."""

import json
import threading
from typing import Any

from sqlalchemy import select

from broker.avro.codec import decode_event
from broker.domain.events import ControlEvent, SchemaRegistered, SchemaRetired
from broker.domain.names import CONTROL_TOPIC
from broker.domain.policy import Policy
from broker.store.control import ControlEventRow

SUBJECT = "product.acme.wind-value"


def record(name: str) -> str:
    return json.dumps({"type": "record", "name": name, "fields": [{"name": "a", "type": "int"}]})


def events(world: Any) -> list[ControlEvent]:
    with world.sessions() as session:
        rows = session.scalars(select(ControlEventRow).order_by(ControlEventRow.seq))
        return [decode_event(row.canonical) for row in rows]


def test_answers_bear_confluents_media_type(world: Any) -> None:
    """Good answers and errors alike."""
    with world.http("acme") as http:
        for path in ("/subjects", "/subjects/none/versions", "/nothing"):
            media_type = http.get(path).headers["content-type"]
            assert media_type == "application/vnd.schemaregistry.v1+json"


def test_a_registration_answers_when_it_is_published(world: Any) -> None:
    """By then `weir.control` holds its event, so a router can know of it."""
    with world.http("acme") as http:
        answer = http.post(
            f"/subjects/{SUBJECT}/versions?normalize=False",
            json={"schema": record("A"), "schemaType": "AVRO", "references": []},
        )
        written = [
            decode_event(entry.value)
            for entries in world.log.entries(CONTROL_TOPIC).values()
            for entry in entries
        ]
    schema_id = answer.json()["id"]
    told = [one.event for one in written if isinstance(one.event, SchemaRegistered)]
    assert told == [SchemaRegistered(SUBJECT, schema_id, 1, told[0].schema)]
    assert json.loads(told[0].schema) == json.loads(record("A"))


def test_many_at_once_get_one_version(world: Any) -> None:
    """Sixteen clients that register one schema at a time get one id, one version, one event."""
    answers: list[int] = []
    start = threading.Barrier(16)

    def register() -> None:
        with world.http("acme") as http:
            start.wait(30)
            answer = http.post(f"/subjects/{SUBJECT}/versions", json={"schema": record("A")})
            answers.append(answer.json()["id"])

    threads = [threading.Thread(target=register) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == 16
    assert len(set(answers)) == 1
    with world.http("acme") as http:
        assert http.get(f"/subjects/{SUBJECT}/versions").json() == [1]
    told = [one for one in events(world) if isinstance(one.event, SchemaRegistered)]
    assert len(told) == 1


def test_retirement_tells_routers_and_registration_takes_it_back(world: Any) -> None:
    """Deletion keeps an id valid; retirement ends it for new records; registering renews it."""
    with world.http("acme") as http:
        schema_id = http.post(f"/subjects/{SUBJECT}/versions", json={"schema": record("A")}).json()[
            "id"
        ]
        http.delete(f"/subjects/{SUBJECT}/versions/1")
        http.delete(f"/subjects/{SUBJECT}/versions/1?permanent=true")
        assert not [one for one in events(world) if isinstance(one.event, SchemaRetired)]

        http.post(f"/subjects/{SUBJECT}/versions", json={"schema": record("A")})
        assert http.post(f"/subjects/{SUBJECT}/versions/latest/retirement").status_code == 200
        again = http.post(f"/subjects/{SUBJECT}/versions/2/retirement")
        assert (again.status_code, again.json()["error_code"]) == (409, 409)
        policy = Policy()
        for one in events(world):
            policy = policy.apply(one)
        assert policy.schemas_of(SUBJECT)[schema_id].retired
        assert http.get(f"/schemas/ids/{schema_id}").status_code == 200

        renewed = http.post(f"/subjects/{SUBJECT}/versions", json={"schema": record("A")}).json()
        assert (renewed["id"], renewed["version"]) == (schema_id, 3)
        policy = Policy()
        for one in events(world):
            policy = policy.apply(one)
        assert not policy.schemas_of(SUBJECT)[schema_id].retired


BAD_BODIES: list[tuple[Any, int, str]] = [
    ({}, 42201, "schema: is missing"),
    ({"schema": '"int"', "schemaType": "JSON"}, 42205, "schemaType"),
    (
        {"schema": '"int"', "references": [{"name": "a", "subject": "b", "version": 1}]},
        42205,
        "references",
    ),
    ({"schema": '"int"', "metadata": {"properties": {"a": "b"}}}, 42205, "metadata"),
    ({"schema": '"int"', "ruleSet": {"domainRules": [{}]}}, 42205, "ruleSet"),
    ({"schema": '"\\ud800"'}, 42201, "surrogate"),
    (
        {"schema": '{"type":"record","name":"A","fields":[{"name":"b","type":"C"}]}'},
        42201,
        "schema.fields[0].type",
    ),
    ({"schema": 5}, 422, "schema"),
    ([], 422, "body"),
]


def test_a_bad_body_is_refused_by_name(world: Any) -> None:
    """The error says which field, in Confluent's shape."""
    with world.http("acme") as http:
        for body, code, said in BAD_BODIES:
            answer = http.post(f"/subjects/{SUBJECT}/versions", json=body)
            assert (answer.status_code, answer.json()["error_code"]) == (422, code), body
            assert said in answer.json()["message"], body


BAD_PATHS = [
    ("GET", "/subjects/a%00b/versions", 404, 40401),
    ("GET", "/subjects/%F0%9F%98%80/versions/latest", 404, 40401),
    ("GET", f"/subjects/{'a' * 5000}/versions", 404, 40401),
    ("GET", f"/subjects/{SUBJECT}/versions/0", 422, 42202),
    ("GET", f"/subjects/{SUBJECT}/versions/99999999999999999999", 422, 42202),
    ("GET", f"/subjects/{SUBJECT}/versions/first", 422, 42202),
    ("GET", f"/subjects/{SUBJECT}/versions/1", 404, 40401),
    ("GET", "/schemas/ids/99999999999999999999", 404, 40403),
    ("GET", "/schemas/ids/-1", 404, 40403),
    ("GET", "/schemas/ids/x", 404, 40403),
    ("GET", "/schemas/guids/x%00", 404, 40403),
    ("GET", "/subjects?subjectPrefix=%00", 422, 422),
    ("GET", "/subjects?offset=-1", 422, 422),
    ("GET", "/subjects?deleted=maybe", 422, 422),
    ("GET", f"/config/{SUBJECT}", 404, 40408),
    ("GET", "/config/a%00b", 404, 40401),
    ("DELETE", f"/subjects/{SUBJECT}", 404, 40401),
    ("DELETE", "/mode", 422, 42205),
    ("PUT", "/subjects", 405, 405),
    ("POST", "/subjects/nonsense/versions", 422, 422),
]


def test_a_bad_path_is_refused_by_name(world: Any) -> None:
    """Nothing in a path or query breaks the registry."""
    with world.http("acme") as http:
        for method, path, status, code in BAD_PATHS:
            body = {"schema": '"int"'} if method == "POST" else None
            answer = http.request(method, path, json=body)
            assert (answer.status_code, answer.json()["error_code"]) == (status, code), path


def test_an_unknown_level_is_refused(world: Any) -> None:
    """By its own code, and settings that the registry lacks by name."""
    with world.http("acme") as http:
        bad = http.put("/config", json={"compatibility": "SIDEWAYS"})
        more = http.put("/config", json={"compatibility": "FULL", "compatibilityGroup": "a"})
    assert (bad.status_code, bad.json()["error_code"]) == (422, 42203)
    assert (more.status_code, more.json()["error_code"]) == (422, 42205)
    assert "compatibilityGroup" in more.json()["message"]


def test_verbose_compatibility_names_the_place(world: Any) -> None:
    """`verbose=true` says where; another version than the last can be named."""
    with world.http("acme") as http:
        http.post(f"/subjects/{SUBJECT}/versions", json={"schema": record("A")})
        path = f"/compatibility/subjects/{SUBJECT}/versions/1?verbose=True"
        answer = http.post(path, json={"schema": '"int"'}).json()
        none = http.post(path.replace("/1?", "/2?"), json={"schema": '"int"'}).json()
    assert answer["is_compatible"] is False
    assert "TYPE_MISMATCH" in answer["messages"][0]
    assert none["error_code"] == 40402
