"""Runs the migrations on the connection that `indexer.storage.migrate` hands over.

It opens nothing, reads no ini file and configures no logging: the caller owns the transaction.
"""

from alembic import context
from indexer.storage.tables import Base

connection = context.config.attributes.get("connection")
if connection is None:
    raise RuntimeError("run migrations through indexer.storage.migrate.migrate(connection)")

context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    transactional_ddl=False,  # the caller's transaction holds all steps: whole or none
    render_as_batch=True,
)
context.run_migrations()
