from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from django.db import connection, models, transaction
from django.db.models import Count, F, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..by_hand import as_stored
from .account import Account
from .avatar import Avatar
from .contact import Contact
from .person import Person, Sight
from .rollup import RolledDay

if TYPE_CHECKING:
    from .attempt import Attempt
    from .follow_up import FollowUp

# How long a claim holds: a whole reject ends well within it, so one that still stands after it was left by a dead process.
CLAIM_LASTS = timedelta(seconds=10)

# A claim is cleared together with its result. One that still stands may be that of a process which waits for the database
# with a result to save; after so long its process is dead.
RESULTS_WITHIN = timedelta(days=2)

# Pages confirm what they show every few seconds, so a call is said to be unseen only after this long.
RECEIPTS_WITHIN = timedelta(seconds=6)

# An outcome of so few calls is the best way to find them, whatever else they are looked for by.
RARE = 2_000

# Calls of one contact that follow each other within this time are told of.
IN_A_ROW = timedelta(minutes=10)

# How far back the board's list of ended calls looks.
RECENT = timedelta(hours=12)


class AttemptResult(models.TextChoices):
    """What came of one request to the vendor."""

    PENDING = "pending", _("no answer on record")
    ACCEPTED = "accepted", _("accepted by the vendor")
    REFUSED = "refused", _("refused by the vendor")
    UNCONFIRMED = "unconfirmed", _("unconfirmed")
    NOT_SENT = "not_sent", _("not sent")


def is_over(now: datetime) -> Q:
    """That nothing can happen to a call any more."""
    return (
        Q(outcome__in=[Call.Outcome.REJECTED, Call.Outcome.RULE])
        | Q(ended_at__isnull=False)
        | (Q(rings_until__lte=now) & (Q(claimed_until=None) | Q(claimed_until__lte=now)))
    )


def was_seen_by_nobody(now: datetime) -> Q:
    """That a call is over, was on no screen, and nobody has tried to reject it."""
    by_a_rule = Q(outcome=Call.Outcome.RULE)
    return is_over(now) & ~by_a_rule & Q(received_at__lt=now - RECEIPTS_WITHIN, screens=0, claimed_by=None)


def _calls_before(within: timedelta | None = None) -> CallQuerySet:
    """Of the same contact: for a subquery that one index answers."""
    calls = Call.objects.filter(contact=OuterRef("contact"), received_at__lte=OuterRef("received_at"), pk__lt=OuterRef("pk"))
    return calls if within is None else calls.filter(received_at__gt=OuterRef("received_at") - within)


def _number_of(calls: CallQuerySet) -> Coalesce:
    return Coalesce(Subquery(calls.order_by().values("contact").annotate(number=Count("pk")).values("number")), 0)


class Confirmation(NamedTuple):
    """On how many more screens a call was, and on how many of these with sound; on the first of them at `shown_at`."""

    call: int
    received_at: datetime
    shown_at: datetime
    screens: int
    with_sound: int


class CallQuerySet(models.QuerySet["Call"]):
    def seen_by(self, sight: Sight) -> CallQuerySet:
        return self if sight.all else self.filter(account__team__in=sight.teams)

    def active(self, now: datetime) -> CallQuerySet:
        """Calls that belong on the board: ringing, being rejected, or unconfirmed within the ring window."""
        return self.filter(
            # The first condition follows from the second, and lets one index find the few that matter.
            Q(rings_until__gt=now - CLAIM_LASTS),
            Q(rings_until__gt=now) | Q(claimed_until__gt=now),
            ~Q(outcome__in=[Call.Outcome.REJECTED, Call.Outcome.RULE]),
            ended_at=None,
        )

    def over(self, now: datetime) -> CallQuerySet:
        """Calls that nothing can happen to any more."""
        return self.filter(is_over(now))

    def settled(self, now: datetime) -> CallQuerySet:
        """Calls that are over, and of which no process has anything left to put on record."""
        return self.over(now).filter(Q(claimed_until=None) | Q(claimed_until__lte=now - RESULTS_WITHIN))

    def unseen(self, now: datetime) -> CallQuerySet:
        """Calls that ring, though on no screen, and that nobody has tried to reject."""
        return self.active(now).filter(received_at__lt=now - RECEIPTS_WITHIN, shown_at=None, claimed_by=None)

    def seen_by_nobody(self, now: datetime) -> CallQuerySet:
        """Calls that are over, that were on no screen, and that nobody has tried to reject."""
        not_active = self._not_active(now).exclude(outcome=Call.Outcome.RULE)
        return not_active.filter(received_at__lt=now - RECEIPTS_WITHIN, screens=0, claimed_by=None)

    def with_outcome(self, outcome: str, now: datetime, narrowed: bool = False) -> CallQuerySet:
        """Calls that are over, with this outcome. Of a call that is not, the column says what would be if nothing more
        happened.

        Args:
            narrowed: other conditions leave few calls, such as those of one contact or team: they are looked through in the
                order of that index. Databases tend to look through all calls of this outcome instead.
        """
        over = self._not_active(now)
        if narrowed and Call.objects.filter(outcome=outcome)[:RARE].count() == RARE:
            return over.alias(became=Coalesce("outcome", Value(""))).filter(became=outcome)  # which no index serves
        return over.filter(outcome=outcome)

    def _not_active(self, now: datetime) -> CallQuerySet:
        """The same as `over`, for searches: the few calls that are not over are found first, so that none of the others has
        to be fetched to know."""
        return self.exclude(pk__in=Call.objects.active(now).values("pk"))

    def recently_over(self, now: datetime) -> CallQuerySet:
        """Calls that the board still shows as ended."""
        return self.over(now).filter(received_at__gt=now - RECENT)

    def for_card(self) -> CallQuerySet:
        """With all that a card shows: account, team, contact and its picture, who handles it, attempts, and what is known of
        earlier calls."""
        last = _calls_before().order_by("-received_at", "-id")
        picture = Avatar.objects.filter(contact=OuterRef("contact"))
        return (
            self.annotate(
                earlier=_number_of(_calls_before()),
                earlier_in_a_day=_number_of(_calls_before(timedelta(days=1))),
                earlier_in_a_row=_number_of(_calls_before(IN_A_ROW)),
                last_outcome=Subquery(last.values("outcome")[:1]),
                last_received_at=Subquery(last.values("received_at")[:1]),
                picture=Subquery(picture.values("version")),
            )
            .select_related("account__team", "contact", "claimed_by", "taken_by")
            .prefetch_related("attempts")
        )

    def for_history(self) -> CallQuerySet:
        """Newest first, with all that a row shows."""
        return (
            self.select_related("account__team", "contact", "claimed_by")
            .prefetch_related("attempts", "follow_ups")
            .order_by("-received_at", "-id")
        )

    def before(self, received_at: datetime, pk: int) -> CallQuerySet:
        """What follows this call in newest-first order. In this form the index is entered at the right place."""
        return self.filter(Q(received_at__lt=received_at) | Q(pk__lt=pk), received_at__lte=received_at)

    def claim(self, pk: int, person: Person) -> datetime | None:
        """Take a call for rejecting it; of several at the same moment one gets it.

        The outcome says `unconfirmed` from here on, which stays true if this process dies before the vendor answers.

        Returns: until when the claim holds, to be given back to `settle`; None where the call can't be claimed.
        """
        now = timezone.now()
        until = now + CLAIM_LASTS
        claimed = self.filter(
            Q(claimed_until=None) | Q(claimed_until__lte=now),
            pk=pk,
            rings_until__gt=now,
            ended_at=None,
            outcome__in=[Call.Outcome.MISSED, Call.Outcome.REFUSED, Call.Outcome.UNCONFIRMED],
        ).update(
            claimed_by=person,
            claimed_until=until,
            outcome=Call.Outcome.UNCONFIRMED,
            version=F("version") + 1,
        )
        return until if claimed == 1 else None

    def take(self, pk: int, person: Person, instead_of: int | None = None) -> bool:
        """Note that this person deals with the caller; of several at the same moment one does.

        Args:
            instead_of: the id of the person from whom it is taken over; None: it is taken only where nobody has it.

        Returns: whether it was theirs to take: not where somebody else has it, or the call is over.
        """
        now = timezone.now()
        free = self.active(now).filter(pk=pk, taken_by=instead_of)
        return free.update(taken_by=person, taken_at=now, version=F("version") + 1) == 1

    def give_back(self, pk: int, person: Person) -> bool:
        """Have nobody deal with the caller any longer. Returns: whether this person did; not where the call is over."""
        theirs = self.active(timezone.now()).filter(pk=pk, taken_by=person)
        return theirs.update(taken_by=None, taken_at=None, version=F("version") + 1) == 1

    @transaction.atomic(savepoint=False)
    def settle(self, pk: int, claimed_until: datetime) -> None:
        """Give up this claim, with the outcome that the attempts on record add up to."""
        call = self.select_for_update().get(pk=pk)
        call.outcome = outcome_of(call.attempts.values_list("result", flat=True), ended=call.ended_at is not None)
        if call.claimed_until == claimed_until:
            call.claimed_until = None
        call.version += 1
        call.save(update_fields=["outcome", "claimed_until", "version"])
        RolledDay.objects.changed(call.received_at)

    @transaction.atomic
    def confirm_shown(self, confirmations: Iterable[Confirmation]) -> None:
        """Note on which screens calls were. Written by hand, since the ORM writes a statement anew for each call."""
        rows = sorted(confirmations, key=lambda one: one.call)  # so that no two processes wait for each other
        for received_at in {one.received_at for one in rows}:
            RolledDay.objects.changed(received_at)
        with connection.cursor() as cursor:
            cursor.executemany(
                "UPDATE calls_call SET shown_at = CASE WHEN shown_at < %s THEN shown_at ELSE %s END,"
                " screens = screens + %s, screens_with_sound = screens_with_sound + %s WHERE id = %s",
                [(at, at, one.screens, one.with_sound, one.call) for one in rows for at in [as_stored(one.shown_at)]],
            )

    @transaction.atomic
    def end(self, account_id: int, voipid: str, now: datetime) -> int | None:
        """Note that the vendor said that a call is over.

        Returns: the call's id, or None where it isn't known, or is over already: what history says of it stays.
        """
        still_open = Q(rings_until__gt=now) | Q(claimed_until__gt=now)
        call = self.select_for_update().filter(still_open, account=account_id, voipid=voipid, ended_at=None).first()
        if call is None:
            return None
        call.ended_at = now
        if call.outcome in {Call.Outcome.MISSED, Call.Outcome.REFUSED}:
            call.outcome = Call.Outcome.ENDED
        call.version += 1
        call.save(update_fields=["ended_at", "outcome", "version"])
        RolledDay.objects.changed(call.received_at)
        return call.pk


class Call(models.Model):
    """One incoming call.

    `outcome` is what history would say if nothing more happened, so it never has to be swept up later; what the card
    shows (`status`) follows from it and the clock.
    """

    class Kind(models.IntegerChoices):
        VIDEO = 1, _("video")
        VOICE = 2, _("voice")

    class Status(models.TextChoices):
        RINGING = "ringing", _("ringing")
        REJECTING = "rejecting", _("rejecting")
        REJECTED = "rejected", _("rejected")
        UNCONFIRMED = "unconfirmed", _("unconfirmed")
        MISSED = "missed", _("missed")
        ENDED = "ended", _("ended")

    class Outcome(models.TextChoices):
        REJECTED = "rejected", _("rejected")
        RULE = "rule", _("rejected by rule")
        UNCONFIRMED = "unconfirmed", _("unconfirmed")
        ENDED = "ended", _("ended")
        REFUSED = "refused", _("refused by the vendor")
        MISSED = "missed", _("missed")

    account = models.ForeignKey(Account, models.PROTECT, verbose_name=_("account"), related_name="calls", db_index=False)
    contact = models.ForeignKey(Contact, models.PROTECT, verbose_name=_("contact"), related_name="calls", db_index=False)
    # Text: a call id can exceed 2**63, and need not be a number.
    voipid = models.CharField(_("call id"), max_length=64)
    kind = models.PositiveSmallIntegerField(_("kind"), choices=Kind)
    received_at = models.DateTimeField(_("received"))
    rings_until = models.DateTimeField(_("rings until"))
    called_at = models.DateTimeField(_("called"), null=True)  # by the vendor's clock, where a notice says it
    outcome = models.CharField(_("outcome"), max_length=12, choices=Outcome, default=Outcome.MISSED)
    # Who rejected it, or tried to last. Stays when the claim is given up.
    claimed_by = models.ForeignKey(Person, models.PROTECT, verbose_name=_("by"), related_name="+", null=True, db_index=False)
    claimed_until = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(_("ended"), null=True)
    # Who deals with the caller, by phone or in writing. Says nothing of the call itself, which anybody may still reject.
    taken_by = models.ForeignKey(
        Person, models.PROTECT, verbose_name=_("taken by"), related_name="+", null=True, db_index=False
    )
    taken_at = models.DateTimeField(_("taken"), null=True)
    # Receipts: when the first screen showed it, and on how many it was while it rang. Pages report late, and some never do.
    shown_at = models.DateTimeField(_("first shown"), null=True)
    screens = models.PositiveIntegerField(_("screens"), default=0, null=True)  # null: from before there were receipts
    screens_with_sound = models.PositiveIntegerField(_("screens with sound"), default=0)
    # Counts changes, so that a page never puts an older card over a newer one.
    version = models.PositiveIntegerField(default=0)

    # Of calls as cards show them (`for_card`), of the same contact: how many calls came before, how many of these within the
    # last day and the last minutes, and the last one; and which picture there is of it.
    earlier: int
    earlier_in_a_day: int
    earlier_in_a_row: int
    last_outcome: str | None
    last_received_at: datetime | None
    picture: str | None

    objects = CallQuerySet.as_manager()

    class Meta:
        verbose_name = _("call")
        verbose_name_plural = _("calls")
        constraints = [models.UniqueConstraint(fields=["account", "voipid"], name="call_once_per_account")]
        indexes = [
            models.Index(fields=["rings_until"], name="call_rings_until"),
            models.Index(fields=["received_at", "id"], name="call_received"),
            # What comes after the id spares a search the look at each call: it is told by the index alone.
            models.Index(fields=["account", "received_at", "id", "outcome", "kind"], name="call_by_account"),
            models.Index(fields=["outcome", "received_at", "id", "kind"], name="call_by_outcome"),
            models.Index(fields=["contact", "received_at", "id", "account", "outcome"], name="call_by_contact"),
            models.Index(
                fields=["claimed_by", "received_at", "id", "account", "outcome", "kind"],
                name="call_by_person",
                condition=Q(claimed_by__isnull=False),
            ),
            models.Index(
                fields=["account", "received_at", "id", "outcome", "screens", "claimed_by"],
                name="call_on_no_screen",
                condition=Q(screens=0, claimed_by__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.contact} → {self.account}"

    @cached_property
    def as_of(self) -> datetime:
        """The moment for which the status holds. Taken once, so that one rendering of a card never shows two."""
        return timezone.now()

    @cached_property
    def status(self) -> str:
        """What the card shows."""
        if self.outcome in {self.Outcome.REJECTED, self.Outcome.RULE}:
            return self.Status.REJECTED
        if self.ended_at:
            return self.Status.ENDED
        if self.claimed_until and self.claimed_until > self.as_of:
            return self.Status.REJECTING
        if self.outcome == self.Outcome.UNCONFIRMED:
            return self.Status.UNCONFIRMED
        return self.Status.RINGING if self.rings_until > self.as_of else self.Status.MISSED

    @cached_property
    def is_over(self) -> bool:
        """Whether the board is done with it. An unconfirmed call is, once its ring window has passed."""
        if self.status == self.Status.UNCONFIRMED:
            return self.rings_until <= self.as_of
        return self.status not in {self.Status.RINGING, self.Status.REJECTING}

    @property
    def unseen(self) -> bool:
        """Whether it is over and nobody saw it: no screen confirmed it, and nobody tried to reject it."""
        if not self.is_over or self.screens != 0 or self.claimed_by_id or self.outcome == self.Outcome.RULE:
            return False
        return self.received_at < self.as_of - RECEIPTS_WITHIN

    @property
    def shown_after(self) -> timedelta | None:
        """From the callback to the first screen that showed it."""
        return self.shown_at - self.received_at if self.shown_at else None

    @property
    def changes_at(self) -> datetime | None:
        """When the card changes by the clock alone; None: never."""
        if self.is_over:
            return None
        return self.claimed_until if self.status == self.Status.REJECTING else self.rings_until

    @property
    def can_reject(self) -> bool:
        return not self.is_over and self.status != self.Status.REJECTING

    @cached_property
    def last_attempt(self) -> Attempt | None:
        """The latest request to the vendor; reads the prefetched attempts."""
        return max(self.attempts.all(), key=lambda attempt: attempt.pk, default=None)

    @property
    def follow_up(self) -> FollowUp | None:
        """What it led to: an open one, else the latest; reads the prefetched ones."""
        return max(self.follow_ups.all(), key=lambda found: (found.done_at is None, found.pk), default=None)

    @property
    def answer_is_gone(self) -> bool:
        """Whether somebody rejected it, or tried to, and what the vendor answered is kept no longer."""
        return self.claimed_by_id is not None and self.last_attempt is None

    @property
    def rejected_after(self) -> timedelta | None:
        """From the callback to the vendor's acceptance; None where the vendor accepted nothing."""
        last = self.last_attempt
        if last is None or last.result != last.Result.ACCEPTED or last.answered_at is None:
            return None
        return last.answered_at - self.received_at


def outcome_of(results: Iterable[str], ended: bool) -> Call.Outcome:
    """What attempts with these results add up to: the first that applies, in the order of the design.

    An attempt that never got a result counts as unconfirmed: nobody knows whether its request left.
    """
    seen = set(results)
    if AttemptResult.ACCEPTED in seen:
        return Call.Outcome.REJECTED
    if seen & {AttemptResult.UNCONFIRMED, AttemptResult.PENDING}:
        return Call.Outcome.UNCONFIRMED
    if ended:
        return Call.Outcome.ENDED
    return Call.Outcome.REFUSED if seen == {AttemptResult.REFUSED} else Call.Outcome.MISSED
