"""In the order of application: control, registry, ledger, billing."""
