"""`python -m tests.manager`: runs management commands, one after the other, in one process that has Django loaded already.

Takes a line of JSON for each, {"arguments": […], "said": what is on its standard input}; answers with a line,
{"failed": bool, "printed": str, "complained": str}.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from typing import TextIO

import django
from django.core.management import ManagementUtility
from django.db import connections


def run(arguments: list[str], said: str) -> dict[str, object]:
    printed, complained = io.StringIO(), io.StringIO()
    failed = False
    sys.stdin = io.StringIO(said)
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(complained):
        try:
            ManagementUtility(["manage.py", *arguments]).execute()
        except SystemExit as end:
            failed = bool(end.code)
        finally:
            connections.close_all()
    return {"failed": failed, "printed": printed.getvalue(), "complained": complained.getvalue()}


def main(asked: TextIO, answers: TextIO) -> None:
    for line in asked:
        print(json.dumps(run(**json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    django.setup()
    main(sys.stdin, sys.stdout)
