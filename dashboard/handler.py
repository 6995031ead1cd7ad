"""Django's pages, answered in one thread from the first middleware to the last."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.core.signals import request_started
from django.db import close_old_connections, reset_queries
from django.http import HttpRequest
from django.http.response import HttpResponseBase


class Handler(ASGIHandler):
    """Pages and middleware are synchronous. Django's own handler would go back to the event loop and to the thread again at
    each change between what is and what could be asynchronous; under load each of these waits for its turn."""

    def __init__(self) -> None:
        super().__init__()
        # These would be one more way to the thread and back, for nothing: it is a new one, which has no connection yet.
        request_started.disconnect(close_old_connections)
        request_started.disconnect(reset_queries)

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        return await sync_to_async(self.get_response)(request)
