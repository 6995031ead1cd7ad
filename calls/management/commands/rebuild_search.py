from typing import Any

from django.core.management.base import BaseCommand

from calls import search


class Command(BaseCommand):
    help = (
        "Build the index of history's search anew: where many calls were written at once, or removed. Calls can be taken in "
        "and searched meanwhile. What is new or changed gets into the index by itself."
    )

    def handle(self, **options: Any) -> None:
        search.rebuild()
        self.stdout.write("The search index is built.")
