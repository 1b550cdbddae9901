"""Bodies: what clients send, and what of it is refused because the registry does not do it."""

from typing import Any, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, Field

from broker.registry import schemas
from broker.registry.errors import InvalidModeError, InvalidSchemaError, UnsupportedError
from broker.registry.schemas import Candidate

TYPE: Literal["AVRO"] = "AVRO"
_WORD_CHARACTERS_MAX = 100
_MODES = ("READWRITE", "READONLY", "READONLY_OVERRIDE", "IMPORT", "FORWARD")


class SchemaIn(BaseModel):
    """A schema as a client sends it. What clients of newer versions add is ignored."""

    model_config = ConfigDict(populate_by_name=True)

    text: str | None = Field(None, alias="schema", description="The schema as JSON text.")
    schema_type: str | None = Field(None, alias="schemaType", max_length=_WORD_CHARACTERS_MAX)
    references: list[Any] | None = Field(None, description="Must be empty.")
    metadata: dict[str, Any] | None = Field(None, description="Must be empty.")
    rule_set: dict[str, Any] | None = Field(None, alias="ruleSet", description="Must be empty.")

    id: int | None = Field(None, description="Must be left out when registering.")
    version: int | None = Field(None, description="Must be left out when registering.")

    def check_unnumbered(self) -> None:
        """Refuse numbers of the client's own; its libraries write -1 or version 0 for none.

        Raises:
            UnsupportedError: names the number.
        """
        for name, number, first in (("id", self.id, 0), ("version", self.version, 1)):
            if number is not None and number >= first:
                raise UnsupportedError(
                    name, f"is given by the registry and cannot be {number}; leave it out"
                )

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


class ModeIn(BaseModel):
    """A mode to set, which is always refused."""

    mode: str = Field(description="READWRITE holds, and no other can be set.")

    def refuse(self) -> NoReturn:
        """Say why not.

        Raises:
            InvalidModeError: it is no mode of Confluent's registry.
            UnsupportedError: it is one, but modes are not set here.
        """
        if self.mode.upper() not in _MODES:
            raise InvalidModeError(
                "mode",
                f"must be one of {', '.join(_MODES)}, is {self.mode[:_WORD_CHARACTERS_MAX]!r}",
            )
        raise UnsupportedError("mode", "is READWRITE and cannot be changed")
