"""Verify: the independent recount of what was entitled, delivered, metered and billed.

Owns its own reading of the control log, rules of validity, digest, chain rules, calendar and
rating, all written from the documents. Does not own, and never calls, the code that it recounts:
of ours it imports `broker.log`, `store`, `avro`, `config`, `errors` alone. It writes nothing.

`broker.verify.recount.recount` gives a `broker.verify.report.Report`.
"""
