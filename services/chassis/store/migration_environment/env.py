"""Alembic runs this file for each upgrade; it passes on the connection of the running write."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
