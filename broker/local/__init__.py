"""The exchange on one machine: real Kafka and PostgreSQL in a directory, and who watches them.

Owns the embedded services, the supervisor of all processes, and `connections.json`. Does not own
what the processes do, nor clusters that are named by `WEIR_KAFKA_*` and `WEIR_DATABASE_URL`.
"""
