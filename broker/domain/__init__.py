"""Frozen values and pure rules. Imports nothing of ours but `broker.errors`."""
