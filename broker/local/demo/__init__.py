"""The whole story on real telemetry, start to verified invoice: `weir demo`.

Owns the actors (factory, gateway, buyers: programs of their own with stock clients) and the order
of events. Does not own any part of the exchange: it drives it as its users do, through the API's
client and Kafka.
"""
