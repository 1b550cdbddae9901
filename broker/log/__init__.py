"""The port to Kafka, its two implementations, and the values that pass through it."""
