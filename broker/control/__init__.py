"""Control plane: organisations, products, plans, subscriptions; what routers hear of them.

Owns who may sell and buy what, and the control log. Does not own delivery (`flow`), usage
(`ledger`), money (`billing`) or schemas (`registry`). One module per noun; each verb loads, asks
the domain, saves, and appends its event in the same transaction.
"""
