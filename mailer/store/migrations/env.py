"""Alembic's entry: runs the migrations on the connection that `store.upgrade` hands over, in its transaction."""

from alembic import context

from mailer.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite can't alter most things in place.
    render_as_batch=True,
)
context.run_migrations()
