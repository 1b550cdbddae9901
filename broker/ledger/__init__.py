"""The ledger: segments from `weir.usage` become usage rows in PostgreSQL, each once.

    weir.usage ──▶ source ──Batch──▶ apply ──▶ sink ──▶ chains, segments, usage, usage_positions

Owns those four tables. Does not own what usage costs (`billing`), when a period is complete
(`billing`, which reads coverage) or what was delivered (the router's transaction, whose outcome it
only reads). Its one time is billing time, as the segment states it: never the clock's.
"""
