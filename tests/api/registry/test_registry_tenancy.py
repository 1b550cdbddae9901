"""Who sees what: a tenant its own, a buyer what it is entitled to, and to others it is absent."""

import json
from typing import Any

SUBJECT = "product.acme.wind-value"
ASSOCIATION = "/associations/resources/-/{}?resourceType=topic&associationType=value"


def register(http: Any, subject: str, name: str = "A") -> Any:
    text = json.dumps({"type": "record", "name": name, "fields": [{"name": "a", "type": "int"}]})
    return http.post(f"/subjects/{subject}/versions", json={"schema": text})


BAD_CREDENTIALS = [None, "Bearer", "Bearer no", "Basic bm8=", "Basic !", "Digest a"]


def test_without_a_good_token_nothing_is_answered(world: Any) -> None:
    """401 in Confluent's shape, with a challenge, whatever is wrong with the credentials."""
    with world.http("acme") as http:
        http.headers.pop("authorization")
        for sent in BAD_CREDENTIALS:
            answer = http.get("/subjects", headers={"Authorization": sent} if sent else {})
            assert (answer.status_code, answer.json()["error_code"]) == (401, 40101), sent
            assert answer.headers["www-authenticate"].startswith("Basic")


def test_another_tenants_subject_is_absent(world: Any) -> None:
    """Every way of reading it answers as if there were none."""
    with world.http("acme") as acme, world.http("rival") as rival:
        schema_id = register(acme, SUBJECT).json()["id"]
        guid = acme.get(f"/subjects/{SUBJECT}/versions/1").json()["guid"]
        there = [
            f"/subjects/{SUBJECT}/versions",
            f"/subjects/{SUBJECT}/versions/latest",
            f"/subjects/{SUBJECT}/versions/1/schema",
            f"/config/{SUBJECT}?defaultToGlobal=true",
            f"/mode/{SUBJECT}",
            f"/schemas/ids/{schema_id}",
            f"/schemas/ids/{schema_id}/schema",
            f"/schemas/ids/{schema_id}/subjects",
            f"/schemas/ids/{schema_id}/versions",
            f"/schemas/guids/{guid}",
            ASSOCIATION.format("product.acme.wind"),
        ]
        assert [acme.get(path).status_code for path in there] == [200] * len(there)
        for path in there:
            unknown = path.replace("wind", "none").replace(str(schema_id), "999999")
            seen, absent = rival.get(path), rival.get(unknown)
            assert seen.status_code == 404, path
            assert seen.json()["error_code"] == absent.json()["error_code"], path
        assert rival.get("/subjects").json() == []
        assert rival.get("/schemas").json() == []


def test_another_tenants_subject_cannot_be_written(world: Any) -> None:
    """The refusal is the same whether the subject exists or not."""
    with world.http("acme") as acme, world.http("rival") as rival:
        before = register(rival, SUBJECT)
        register(acme, SUBJECT)
        after = register(rival, SUBJECT)
        assert before.status_code == 403
        assert (before.status_code, before.json()) == (after.status_code, after.json())
        assert rival.delete(f"/subjects/{SUBJECT}").status_code == 403
        assert rival.delete(f"/subjects/{SUBJECT}/versions/1").status_code == 403
        assert rival.post(f"/subjects/{SUBJECT}/versions/1/retirement").status_code == 403
        level = rival.put(f"/config/{SUBJECT}", json={"compatibility": "NONE"})
        assert level.status_code == 403
        assert acme.get(f"/subjects/{SUBJECT}/versions").json() == [1]


def test_one_id_for_one_schema_gives_nothing_away(world: Any) -> None:
    """Two tenants share the id of a schema both have; each sees its own subject alone."""
    with world.http("acme") as acme, world.http("rival") as rival:
        ours, theirs = register(acme, SUBJECT), register(rival, "product.rival.sun-value")
        assert ours.json()["id"] == theirs.json()["id"]
        uses = rival.get(f"/schemas/ids/{ours.json()['id']}/versions").json()
        assert uses == [{"subject": "product.rival.sun-value", "version": 1}]


def test_a_buyer_reads_from_activation_and_never_writes(world: Any) -> None:
    """Before it is active a subscription opens nothing; then it opens reading."""
    with world.http("acme") as acme, world.http("grid") as grid:
        schema_id = register(acme, SUBJECT).json()["id"]
        assert grid.get(f"/schemas/ids/{schema_id}").status_code == 404
        world.subscribe("grid/forecast")
        assert grid.get(f"/schemas/ids/{schema_id}").status_code == 200
        assert grid.get("/subjects").json() == [SUBJECT]
        assert grid.get(f"/subjects/{SUBJECT}/versions/latest").json()["id"] == schema_id
        assert register(grid, SUBJECT, "B").status_code == 403
        assert grid.delete(f"/subjects/{SUBJECT}").status_code == 403


def test_a_revoked_buyer_reads_what_it_was_delivered_and_no_more(world: Any) -> None:
    """Versions from before the end stay readable; later ones are absent."""
    world.subscribe("grid/forecast")
    with world.http("acme") as acme, world.http("grid") as grid:
        acme.put(f"/config/{SUBJECT}", json={"compatibility": "NONE"})
        before = register(acme, SUBJECT, "Before").json()["id"]
        world.revoke("grid/forecast")
        after = register(acme, SUBJECT, "After").json()["id"]
        assert grid.get(f"/schemas/ids/{before}").status_code == 200
        assert grid.get(f"/schemas/ids/{after}").status_code == 404
        assert grid.get(f"/subjects/{SUBJECT}/versions").json() == [1]


def test_associations_name_the_products_subject(world: Any) -> None:
    """For the seller's topic and the buyer's own delivery topic; for others 404, not 403."""
    world.subscribe("grid/forecast")
    with world.http("acme") as acme, world.http("grid") as grid, world.http("rival") as rival:
        delivery = ASSOCIATION.format("delivery.grid.forecast")
        for http, path in (
            (acme, ASSOCIATION.format("product.acme.wind")),
            (grid, ASSOCIATION.format("product.acme.wind")),
            (grid, delivery),
        ):
            found = http.get(path)
            assert found.status_code == 200
            assert [one["subject"] for one in found.json()] == [SUBJECT]
        assert rival.get(delivery).status_code == 404
        assert grid.get(delivery.replace("=value", "=key")).status_code == 404
        assert grid.get(ASSOCIATION.format("a%00b")).status_code == 404
        assert grid.get(ASSOCIATION.format("nothing")).status_code == 404


def test_the_operator_sees_all(world: Any) -> None:
    """The operator's token reads every subject and sets the exchange's level."""
    with world.http("acme") as acme, world.http("operator") as operator:
        register(acme, SUBJECT)
        assert operator.get("/subjects").json() == [SUBJECT]
        operator.put("/config", json={"compatibility": "FULL"})
        assert acme.get("/config").json() == {"compatibilityLevel": "FULL"}
