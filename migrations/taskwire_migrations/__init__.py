"""The database schema, step by step, with Alembic."""
