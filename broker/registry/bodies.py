"""Bodies: what clients send, and what of it is refused because the registry does not do it."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from broker.registry import schemas
from broker.registry.errors import InvalidSchemaError, UnsupportedError
from broker.registry.schemas import Candidate

TYPE: Literal["AVRO"] = "AVRO"
_WORD_CHARACTERS_MAX = 100


class SchemaIn(BaseModel):
    """A schema as a client sends it. What clients of newer versions add is ignored."""

    model_config = ConfigDict(populate_by_name=True)

    text: str | None = Field(None, alias="schema", description="The schema as JSON text.")
    schema_type: str | None = Field(None, alias="schemaType", max_length=_WORD_CHARACTERS_MAX)
    references: list[Any] | None = Field(None, description="Must be empty.")
    metadata: dict[str, Any] | None = Field(None, description="Must be empty.")
    rule_set: dict[str, Any] | None = Field(None, alias="ruleSet", description="Must be empty.")

    def candidate(self, *, normalize: bool) -> Candidate:
        """The schema, read and checked.

        Raises:
            InvalidSchemaError: it breaks a rule; names the place.
            UnsupportedError: it is no Avro, or has references, metadata or rules.
        """
        if (self.schema_type or TYPE) != TYPE:
            raise UnsupportedError(
                "schemaType", f"must be AVRO, is {self.schema_type!r}; JSON and PROTOBUF are not"
            )
        if self.references:
            raise UnsupportedError(
                "references", "are not supported yet; write the referenced types into the schema"
            )
        if self.metadata:
            raise UnsupportedError("metadata", "is not supported; leave it out")
        if self.rule_set:
            raise UnsupportedError("ruleSet", "is not supported; leave it out")
        if self.text is None:
            raise InvalidSchemaError("schema", "is missing; send the schema as JSON text")
        return schemas.candidate(self.text, normalize=normalize)


class LevelIn(BaseModel):
    """A compatibility level. Other settings of newer clients must be empty."""

    model_config = ConfigDict(extra="allow")

    compatibility: str = Field(description="One of the seven levels.")

    def check_supported(self) -> None:
        """Refuse settings that the registry does not have.

        Raises:
            UnsupportedError: names the first of them.
        """
        for name, value in (self.model_extra or {}).items():
            if value not in (None, {}, False):
                raise UnsupportedError(
                    name[:_WORD_CHARACTERS_MAX], "is not supported; leave it out"
                )
