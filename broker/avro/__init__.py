"""Avro: our own topics' encoding, schema limits, compatibility."""
