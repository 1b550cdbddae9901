"""The schema registry: what Confluent's clients ask, answered per organisation.

Owns subjects, versions, schema ids and compatibility levels. Does not own what a schema may be
(`broker.avro`), nor which product a subject belongs to (`broker.control.products`).

    client ─▶ routes ─▶ subjects, schemas, levels, associations ─▶ PostgreSQL
                              └─ SchemaRegistered ─▶ outbox ─▶ every router
"""
