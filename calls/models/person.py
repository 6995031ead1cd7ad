from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..prepared import ById
from .team import Team


class Sight(NamedTuple):
    """Which calls somebody sees: all, or those of some teams' accounts.

    Equal for people who see the same, so that what was put together for one serves them all. A tuple, since it is looked up
    for each page and each text.
    """

    all: bool
    teams: frozenset[int] = frozenset()

    def __contains__(self, team_id: object) -> bool:
        """Whether calls to an account of this team (None: of no team) are seen."""
        return self.all or team_id in self.teams

    def shows(self, other: Sight) -> bool:
        """Whether people who see the other are colleagues to whoever sees this: some calls are seen by both, or no more is
        seen by either."""
        return self.all or self == other or bool(self.teams & other.teams) or (other.all and bool(self.teams))


class PersonManager(BaseUserManager["Person"]):
    def create_user(self, username: str, password: str | None = None, **fields: Any) -> Person:
        person = self.model(username=self.model.normalize_username(username), **fields)
        person.set_password(password)
        person.save(using=self._db)
        return person

    def create_superuser(self, username: str, password: str | None = None, **fields: Any) -> Person:
        return self.create_user(username, password, role=Person.Role.ADMIN, **fields)

    def get_by_natural_key(self, username: str | None) -> Person:
        return self.get(username=username)


class Person(AbstractBaseUser):
    """Somebody who signs in: an agent, a supervisor or an admin.

    People who are on record in a call's history are never deleted, only made inactive.
    """

    class Role(models.TextChoices):
        AGENT = "agent", _("agent")
        SUPERVISOR = "supervisor", _("supervisor")
        ADMIN = "admin", _("admin")

    username = models.CharField(
        _("username"),
        max_length=60,
        unique=True,
        validators=[UnicodeUsernameValidator()],
        error_messages={"unique": _("Somebody has this username already.")},
    )
    name = models.CharField(_("name"), max_length=60, blank=True, help_text=_("As colleagues see it on the board."))
    role = models.CharField(
        _("role"),
        max_length=10,
        choices=Role,
        default=Role.AGENT,
        help_text=_("Supervisors see every call. Admins also configure Ringdesk."),
    )
    all_accounts = models.BooleanField(
        _("sees all accounts"),
        default=False,
        help_text=_("Also accounts that don't exist yet. Supervisors and admins always do."),
    )
    teams = models.ManyToManyField(Team, verbose_name=_("teams"), related_name="people", blank=True)
    is_active = models.BooleanField(
        _("active"), default=True, help_text=_("Switch off instead of deleting: history keeps its people.")
    )
    must_change_password = models.BooleanField(
        _("must change the password"), default=False, help_text=_("At the next sign-in, before anything else.")
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    # Away: since then, and until then unless they return earlier; without an end, until they return.
    away_since = models.DateTimeField(null=True, editable=False)
    away_until = models.DateTimeField(null=True, editable=False)

    objects = PersonManager()

    USERNAME_FIELD = "username"

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        ordering = ["username"]

    def __str__(self) -> str:
        return self.name or self.username

    def get_full_name(self) -> str:
        return str(self)

    get_short_name = get_full_name

    @property
    def is_supervisor(self) -> bool:
        """Whether the pages for supervisors are open to this person."""
        return self.role in {self.Role.SUPERVISOR, self.Role.ADMIN}

    @property
    def is_admin(self) -> bool:
        return self.role == self.Role.ADMIN

    @property
    def is_away(self) -> bool:
        return self.away_since is not None and (self.away_until is None or self.away_until > timezone.now())

    @property
    def sight(self) -> Sight:
        """Which calls this person sees, on the board, live and in history."""
        return sights([self])[self.pk]

    @property
    def sees_all(self) -> bool:
        return self.is_supervisor or self.all_accounts

    # What Django's admin asks of a user: everything is for admins alone.

    @property
    def is_staff(self) -> bool:
        return self.is_active and self.is_admin

    @property
    def is_superuser(self) -> bool:
        return self.is_staff

    def has_perm(self, permission: str, obj: object = None) -> bool:
        return self.is_staff

    def has_module_perms(self, app_label: str) -> bool:
        return self.is_staff


MEMBERSHIPS = ById(Person.teams.through.objects.all(), by="person_id")


def sights(people: Collection[Person]) -> dict[int, Sight]:
    """What each of these people sees, by their ids."""
    limited: dict[int, set[int]] = {person.pk: set() for person in people if not person.sees_all}
    for membership in MEMBERSHIPS.fetch(limited):
        limited[membership.person_id].add(membership.team_id)
    return {
        person.pk: Sight(all=True) if person.sees_all else Sight(all=False, teams=frozenset(limited[person.pk]))
        for person in people
    }
