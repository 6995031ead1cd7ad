"""Django's PostgreSQL, with connections that don't wait for an answer without end (see calls/patience.py)."""
