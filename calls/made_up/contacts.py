"""Who calls: a few very often, some now and then, and most once or twice, one after the other as time goes by."""

from __future__ import annotations

from array import array
from random import Random

from django.db import transaction

from calls.models import Contact, VendorApp

from . import bulk, cast

CALLS_EACH = 17  # on average
FEWEST = 20
AT_ONCE = 50_000

# Share of the contacts, share of the calls
VERY_OFTEN = 0.01, 0.6
NOW_AND_THEN = 0.1, 0.3

BASE, FACTOR, ROOM = 7881302000000000, 387_420_491, 10**9  # the factor and the room have no divisor in common


class Contacts:
    def __init__(self, ids: array[int], calls: int) -> None:
        self.ids = ids
        # Of few contacts more call often, or one would make every other call.
        self._very_often = max(int(len(ids) * VERY_OFTEN[0]), min(int(0.6 * calls**0.5), len(ids) // 3), 1)
        self._seldom_from = self._very_often + max(1, int(len(ids) * NOW_AND_THEN[0]))
        seldom = len(ids) - self._seldom_from
        self._next, self._step = 0.0, seldom / max(1.0, calls * (1 - VERY_OFTEN[1] - NOW_AND_THEN[1]))

    def one(self, rng: Random) -> int:
        """Who calls next: the place among the ids."""
        kind = rng.random()
        if kind < VERY_OFTEN[1]:
            return int(self._very_often * rng.random() ** 1.5)
        if kind < VERY_OFTEN[1] + NOW_AND_THEN[1]:
            return rng.randrange(self._very_often, self._seldom_from)
        self._next += self._step
        return self._seldom_from + int(self._next) % (len(self.ids) - self._seldom_from)


def bring_in(app: VendorApp, calls: int, rng: Random) -> Contacts:
    """Contacts for so many calls, all of them new."""
    number, ids = max(FEWEST, calls // CALLS_EACH), array("q")
    while len(ids) < number:
        ids.extend(_add(app, min(AT_ONCE, number - len(ids)), rng))
    return Contacts(ids, calls)


@transaction.atomic
def _add(app: VendorApp, how_many: int, rng: Random) -> list[int]:
    ids = bulk.new_ids(Contact, how_many)
    rows = ((pk, app.pk, str(BASE + pk * FACTOR % ROOM), cast.nickname(rng), "") for pk in ids)
    bulk.insert(Contact, ["id", "app", "wxid", "nickname", "avatar"], rows)
    return list(ids)
