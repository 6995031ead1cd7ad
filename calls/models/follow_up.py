from __future__ import annotations

from datetime import timedelta
from typing import TypeAlias

from django.db import models
from django.db.models import Count, Exists, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .call import RARE, Call
from .contact import Contact
from .person import Person, Sight
from .team import Team

# For how long the list still shows what was done.
DONE_SHOWN_FOR = timedelta(days=7)


class FollowUpState(models.TextChoices):
    """What a call led to: it was put on the list, and is still there, or not any more."""

    ANY = "any", _("followed up, or to be")
    OPEN = "open", _("to follow up")
    DONE = "done", _("followed up")


class FollowUpQuerySet(models.QuerySet["FollowUp"]):
    def seen_by(self, sight: Sight) -> FollowUpQuerySet:
        return self if sight.all else self.filter(team__in=sight.teams)

    def open(self) -> FollowUpQuerySet:
        return self.filter(done_at=None)

    def in_state(self, state: str) -> FollowUpQuerySet:
        """Those of calls of which one of the states above is true. A call that was put on the list again is open."""
        match state:
            case FollowUpState.OPEN:
                return self.open()
            case FollowUpState.DONE:
                return self.exclude(call__in=self.open().values("call"))
        return self

    def their_calls(self) -> Q:
        """That a call led to one of these."""
        if self[:RARE].count() < RARE:
            return Q(pk__in=self.order_by().values("call"))
        # Many: looking at call after call soon finds enough of them, where a database would fetch all of these first.
        return Q(Exists(self.filter(call=OuterRef("pk"))))

    def for_list(self) -> FollowUpQuerySet:
        """Oldest first, with all that is shown of them, and how often the contact has called since that call."""
        later = (
            Call.objects.filter(contact=OuterRef("contact"), received_at__gt=OuterRef("call__received_at"))
            .order_by()
            .values("contact")
            .annotate(number=Count("pk"))
        )
        return (
            self.annotate(called_since=Coalesce(Subquery(later.values("number")), 0))
            .select_related("contact", "team", "call__account", "added_by", "taken_by", "done_by")
            .order_by("added_at", "id")
        )

    def recently_done(self) -> FollowUpQuerySet:
        """Those that the list still shows, the last one first."""
        return self.filter(done_at__gte=timezone.now() - DONE_SHOWN_FOR).order_by("-done_at", "-id")


class FollowUp(models.Model):
    """A customer to be called or written back: put on a team's list, taken by a person, done with a note.

    A contact is on a team's list once; what they call meanwhile belongs to the same. The team is the account's at that
    moment: it keeps what is on its list when the account moves to another one.
    """

    LONGEST = 2000  # characters of a note
    State: TypeAlias = FollowUpState

    contact = models.ForeignKey(Contact, models.PROTECT, verbose_name=_("contact"), related_name="follow_ups")
    # Null: of an account without a team.
    team = models.ForeignKey(Team, models.PROTECT, verbose_name=_("team"), related_name="+", null=True, db_index=False)
    call = models.ForeignKey(Call, models.PROTECT, verbose_name=_("call"), related_name="follow_ups")  # that led to it
    # Null: by the team's setting.
    added_by = models.ForeignKey(
        Person, models.PROTECT, verbose_name=_("added by"), related_name="+", null=True, db_index=False
    )
    added_at = models.DateTimeField(_("added"))
    taken_by = models.ForeignKey(
        Person, models.PROTECT, verbose_name=_("taken by"), related_name="+", null=True, db_index=False
    )
    taken_at = models.DateTimeField(_("taken"), null=True)
    # Null though it is done: the contact was erased, so nobody is left to be called.
    done_by = models.ForeignKey(
        Person, models.PROTECT, verbose_name=_("done by"), related_name="+", null=True, db_index=False
    )
    done_at = models.DateTimeField(_("done"), null=True)
    note = models.TextField(_("note"), max_length=LONGEST, blank=True)

    objects = FollowUpQuerySet.as_manager()

    class Meta:
        verbose_name = _("follow-up")
        verbose_name_plural = _("follow-ups")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["contact", "team"], name="follow_up_open_once", condition=Q(done_at=None, team__isnull=False)
            ),
            # To a database one null is unlike another.
            models.UniqueConstraint(
                fields=["contact"], name="follow_up_open_once_teamless", condition=Q(done_at=None, team=None)
            ),
        ]
        indexes = [models.Index(fields=["done_at", "added_at", "id"], name="follow_up_by_time")]

    def __str__(self) -> str:
        return str(self.contact)

    def get_state_display(self) -> str:
        return str((self.State.DONE if self.done_at else self.State.OPEN).label)

    def may_be_settled_by(self, person: Person) -> bool:
        """Whether this person may say that it is done: nobody else has it, or they supervise."""
        return self.done_at is None and (self.taken_by_id in {None, person.pk} or person.is_supervisor)


def held_by(person: Person) -> Q:
    """The same as a condition, of those that somebody has."""
    return Q(taken_by__isnull=False) if person.is_supervisor else Q(taken_by=person)
