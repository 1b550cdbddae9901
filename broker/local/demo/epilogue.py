"""What to try next in an exchange that was kept, with credentials."""

from pathlib import Path

from broker.local.demo.market import MAINTENANCE, PRODUCT, Market
from broker.local.secret import write_secret


def epilogue(market: Market, directory: Path) -> str:
    """Text with commands that work as they stand; tokens go into files of mode 0600."""
    home = directory / "exchange"
    buyer = market.buyers[MAINTENANCE.buyer]
    for party in (market.seller, buyer):
        write_secret(directory / f"{party.organisation}.token", party.token)
    token = directory / f"{market.seller.organisation}.token"
    account = buyer.account
    topic = market.subscriptions[MAINTENANCE.subscription].delivery_topic
    return f"""
The exchange is up. Try:
  weir status --home {home}
  weir verify --home {home}
  weir invoice list --home {home} --token-file {token}
  weir product check {PRODUCT} --home {home} --token-file {token}
Read as {buyer.organisation}, with any Kafka client:
  bootstrap.servers={market.connections.kafka.bootstrap}
  security.protocol={market.connections.kafka.security_protocol}  sasl.mechanism=SCRAM-SHA-512
  sasl.username={account.principal}  sasl.password={account.password}
  group.id={buyer.organisation}.try  isolation.level=read_committed  topic {topic}
Stop it:
  weir down --home {home}
"""
