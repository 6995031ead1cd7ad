from __future__ import annotations

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import models, transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext_lazy as _

from .person import Person

MOST_OF_ONE_PERSON = 10


class PushSubscriptionManager(models.Manager["PushSubscription"]):
    @transaction.atomic
    def keep(self, person: Person, session_key: str, language: str, **keys: str) -> PushSubscription:
        """Note where this person's browser can be reached while that session lasts; their oldest beyond a bound go.

        keys: `endpoint`, `p256dh` and `auth`, as the browser gave them and somebody has checked them.
        """
        endpoint = keys.pop("endpoint")
        values = {"person": person, "session_id": session_key, "language": language, **keys}
        kept, _is_new = self.update_or_create(endpoint=endpoint, defaults=values)
        of_person = self.filter(person=person).exclude(pk=kept.pk).order_by("-pk").values_list("pk", flat=True)
        self.filter(pk__in=list(of_person[MOST_OF_ONE_PERSON - 1 :])).delete()
        return kept

    def usable(self) -> list[PushSubscription]:
        """Those of people who are signed in and may look. The others are removed: asked of the database, not told, so it
        doesn't matter how somebody was signed out."""
        found = list(self.select_related("person", "session"))
        usable = [subscription for subscription in found if subscription.is_usable]
        if gone := {subscription.pk for subscription in found} - {subscription.pk for subscription in usable}:
            self.filter(pk__in=gone).delete()
        return usable


class PushSubscription(models.Model):
    """Where a browser can be reached that has no page of ours open (RFC 8030), for as long as its person is signed in."""

    person = models.ForeignKey(Person, models.CASCADE, verbose_name=_("person"), related_name="push_subscriptions")
    # Signing out deletes the session, and the subscription with it.
    session = models.ForeignKey(Session, models.CASCADE, related_name="+")
    endpoint = models.CharField(max_length=1000, unique=True)  # whoever knows it could have it reached: never logged
    # The browser's keys, by which it alone can read what is sent (RFC 8291), in base64 for addresses
    p256dh = models.CharField(max_length=100)
    auth = models.CharField(max_length=40)
    language = models.CharField(max_length=10)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = PushSubscriptionManager()

    class Meta:
        verbose_name = _("push subscription")
        verbose_name_plural = _("push subscriptions")

    def __str__(self) -> str:
        return str(self.person)

    @property
    def is_usable(self) -> bool:
        """Whether its person may look at calls now, as the live socket judges it: a changed password signs out."""
        person, session = self.person, self.session
        if not person.is_active or person.must_change_password or session.expire_date <= timezone.now():
            return False
        signed_in = session.get_decoded()
        return signed_in.get(SESSION_KEY) == str(person.pk) and constant_time_compare(
            signed_in.get(HASH_SESSION_KEY, ""), person.get_session_auth_hash()
        )
