"""Tables and migrations of PostgreSQL. One module per owner: control, registry, ledger, billing."""
