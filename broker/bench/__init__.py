"""Measurements: the router beside its peers, interleaved in one run on one machine.

Owns the load, the peers and the table. Does not own the router: it is run as `weir router`, in a
process of its own, as in production.
"""
