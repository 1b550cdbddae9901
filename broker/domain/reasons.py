"""Why a record is refused. The one list: add a reason here, and where it is decided, twice.

`broker/flow/enforce.py` decides, `broker/verify/validity.py` decides again by itself. Both pass
over batches that are plainly valid (`_all_plain`, `_surely_valid`): a reason that such records may
have changes those too. `docs/verify.md` lists the order of the rules.
"""

from enum import StrEnum


class Reason(StrEnum):
    """A rule that a record broke; the value stands in the header `weir-reason`."""

    EMPTY_VALUE = "empty-value"
    TRUNCATED_HEADER = "truncated-header"
    WRONG_MAGIC_BYTE = "wrong-magic-byte"
    UNKNOWN_SCHEMA_ID = "unknown-schema-id"
    FOREIGN_SCHEMA_ID = "foreign-schema-id"
    RETIRED_SCHEMA_ID = "retired-schema-id"
    SCHEMA_ID_IN_HEADER = "schema-id-in-header"
    TOO_LARGE = "too-large"
    UNDECODABLE = "undecodable"


EXPLANATIONS: dict[Reason, str] = {
    Reason.EMPTY_VALUE: "The value has no bytes. Send null for a tombstone, or an Avro record.",
    Reason.TRUNCATED_HEADER: "The value is shorter than the five bytes of the Avro wire header.",
    Reason.WRONG_MAGIC_BYTE: "The first byte is not 0x00: this is not Avro in the wire format, "
    "JSON perhaps. Use a registry-aware Avro serialiser.",
    Reason.UNKNOWN_SCHEMA_ID: "No schema has this id. Register it, or let the serialiser do so.",
    Reason.FOREIGN_SCHEMA_ID: "The schema id belongs to another subject than the product's.",
    Reason.RETIRED_SCHEMA_ID: "The schema id of this product has been retired.",
    Reason.SCHEMA_ID_IN_HEADER: "The schema id stands in the header __value_schema_id; "
    "set the serialiser to write it before the value.",
    Reason.TOO_LARGE: "Key, value and headers are larger than the product's record_max_bytes.",
    Reason.UNDECODABLE: "The body does not decode with the schema that its header names.",
}
