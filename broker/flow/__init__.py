"""The data plane: source ▶ enforce ▶ route ▶ meter ▶ commit, one Kafka transaction a batch set.

Owns what happens between a product's topic and its delivery, quarantine and usage topics. Does not
own money (`broker.billing`), the control plane (it only reads `weir.control`) or PostgreSQL (it
has none).
"""

ROUTER_GROUP = "weir-router"
