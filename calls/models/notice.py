from django.db import models

from .call import Call


class RawNotice(models.Model):
    """The notice that a call was read from, as JSON, with the one item that became this call.

    In a table of its own: it is long, rarely looked at, and kept for a shorter time than the call.
    """

    call = models.OneToOneField(Call, models.CASCADE, primary_key=True, related_name="notice")
    body = models.TextField()

    def __str__(self) -> str:
        return self.body
