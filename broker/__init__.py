"""Weir: an exchange for industrial event streams.

What is billed is what was delivered is what was entitled, and anyone can recount it.
"""

__version__ = "0.1.0"
