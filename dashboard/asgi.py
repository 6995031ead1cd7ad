"""The front door: callbacks to ingest, sockets to live, everything else to Django."""

import asyncio
import gc
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")

import django

django.setup(set_prefix=False)  # first: it loads the models that the imports below need

from channels.auth import AuthMiddlewareStack
from django.db import Error as DatabaseError

from calls import ingest, patience
from calls.ingest import Ingest, Receive, Scope, Send
from calls.intake import AnotherKey
from calls.live.consumer import BoardConsumer
from calls.live.hub import hub
from calls.push.pushing import pushing
from calls.results import record

from .handler import Handler
from .housekeeping import housekeeping, look_ups
from .workers import end_with_parent

BOARD_SOCKET = "/ws/board/"
SWITCHED_EVERY = 0.0005  # seconds
COLLECTED_EVERY = (5_000, 20, 100)  # new objects that stay; such rounds; and rounds of these, before all is looked at

callbacks = Ingest()
pages = Handler()
board_socket = AuthMiddlewareStack(BoardConsumer.as_asgi())


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["type"] == "websocket":
        if scope["path"] == BOARD_SOCKET:
            await board_socket(scope, receive, send)
        else:
            await send({"type": "websocket.close"})  # before it is accepted: answered with 403
    elif scope["path"].startswith(ingest.PREFIX) and scope["path"] != ingest.PREFIX:
        await callbacks(scope, receive, send)
    else:
        await pages(scope, receive, send)


async def _lifespan(receive: Receive, send: Send) -> None:
    """Start the hub before the first callback comes, and stop it after all that is to be stored was."""
    await receive()
    patience.hurry()
    end_with_parent()
    hub.start()
    try:
        await callbacks.start()
    except (AnotherKey, DatabaseError, OSError) as error:
        await hub.stop()
        await send({"type": "lifespan.startup.failed", "message": f"Ringdesk can't start: {error}"})
        return
    housekeeping.start()
    look_ups.start()
    pushing.start()
    _answer_promptly()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await asyncio.to_thread(look_ups.stop, within=0.0)  # nothing is lost by it, and those that are asked may be slow
    await asyncio.to_thread(housekeeping.stop)
    await callbacks.stop()
    await asyncio.to_thread(record.stop)
    await asyncio.to_thread(pushing.stop)
    await hub.stop()
    await send({"type": "lifespan.shutdown.complete"})


def _answer_promptly() -> None:
    """Have Python hold up callbacks less.

    Its garbage collector passes over what is loaded once and stays: it would look through all of Django again and again. The
    rest it seldom looks through as a whole, for which everything stops, for 60 ms with 500 pages: hardly anything lives long
    and is garbage then. And threads that compute, such as the one that draws cards, let the event loop go on sooner than
    after 5 ms.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTED_EVERY)
    sys.setswitchinterval(SWITCHED_EVERY)
