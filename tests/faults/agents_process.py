"""The process of agents.py: `python -m tests.faults.agents_process NUMBER`.

It makes so many agents and prints their session keys; then for each line of call ids that it reads it prints which of their
clicks counted. The first agent clicks on the first call, the next on the next, and so on around. It speaks JSON.
"""

from __future__ import annotations

import json
import sys
from uuid import uuid4

import django


def main(number: int) -> None:
    from calls.reject import reject
    from tests.factory import make_client, make_person
    from tests.threads import at_once

    people = [make_person(username=f"agent-{uuid4()}", password=None, all_accounts=True) for _ in range(number)]
    print(json.dumps([make_client(person).cookies["sessionid"].value for person in people]), flush=True)
    for line in sys.stdin:
        pks = [int(word) for word in line.split()]
        counted = at_once(number, lambda place: reject(pks[place % len(pks)], people[place]))  # noqa: B023
        print(json.dumps(counted), flush=True)


if __name__ == "__main__":
    django.setup()
    main(int(sys.argv[1]))
