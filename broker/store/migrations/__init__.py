"""Alembic's environment; one migration an owner, then one a change."""
