from django.db import models

from .call import Call


class RawNotice(models.Model):
    """The notice that a call was read from, as JSON, with the one item that became this call.

    In a table of its own: it is long, rarely looked at, and kept for a shorter time than the call. A call has none where the
    notice was very long, or none are to be kept.
    """

    call = models.OneToOneField(Call, models.CASCADE, primary_key=True, related_name="notice")
    received_at = models.DateTimeField(
        db_index=True
    )  # the call's, which never changes: what is kept too long is found by it
    body = models.TextField()

    def __str__(self) -> str:
        return self.body
