"""`python -m broker` is `weir`."""

from broker.cli import main

main()
