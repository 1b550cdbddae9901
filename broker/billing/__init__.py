"""Billing: usage becomes money.

Owns prices, rating, billing periods and their closing, invoices, the journal, payouts. Does not own
delivery or metering (`flow`), the account of what was delivered (`ledger`), nor who is entitled to
what (`control`). Never reads metrics.

Four times that must not stand for one another:

    append time   the broker's, of one record; decides the quarter hour, so the day, it is billed in
    watermark     billing time a partition has reached; proves that no earlier record is to come
    period end    where a bill's usage stops; a period closes when every watermark has passed it
    issue date    when an invoice was finalised; it changes no amount
"""
