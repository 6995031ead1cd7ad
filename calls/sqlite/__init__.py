"""Django's SQLite, with connections that are opened once and handed on from thread to thread."""
