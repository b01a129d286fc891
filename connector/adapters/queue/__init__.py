"""The job queue on PostgreSQL; the only package that knows Procrastinate."""
