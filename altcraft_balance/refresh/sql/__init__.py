"""Databases as sources and sinks, by SQLAlchemy (extra ``sql``)."""
