"""Faults: routers killed in mid-work, brokers restarted, and a recount after each.

    warm up ─▶ strike ─▶ ask for progress ─▶ heal ─▶ recount ─▶ next

A fault is a value that heals on exit. The load writes down what Kafka acknowledged to it, the
judge is `broker.verify`: neither asks the router. `broker.faults.run.run_faults` runs it all.
"""
