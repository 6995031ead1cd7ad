"""What is asked of history, and the bare SQL that fetches the same rows. Values are those of the history at hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.db.models import Count, QuerySet
from django.db.models.functions import Length, Substr

from calls.models import Account, Call, Contact, Person

PAGE = 50  # rows
FAR_PAGE = 1000
ZONE = ZoneInfo("Asia/Shanghai")  # the default of an installation

Who = Literal["supervisor", "agent"]
Bare = tuple[str, tuple[object, ...]]  # SQL with %s, and its values

ROWS = """
    SELECT c.id, c.received_at, c.kind, c.outcome, c.screens, c.shown_at, c.ended_at, c.rings_until, c.claimed_until,
           a.name, a.wxid, t.name, k.nickname, k.wxid, p.name, p.username
    FROM calls_call c JOIN calls_account a ON a.id = c.account_id LEFT JOIN calls_team t ON t.id = a.team_id
         JOIN calls_contact k ON k.id = c.contact_id LEFT JOIN calls_person p ON p.id = c.claimed_by_id
"""
NEWEST = f" ORDER BY c.received_at DESC, c.id DESC LIMIT {PAGE}"
# The plus keeps an index by account from being taken, which would mean to sort all calls of a team.
OF_TEAM = "+c.account_id IN (SELECT id FROM calls_account WHERE team_id = %s)"
OF_NO_TEAM = "+c.account_id IN (SELECT id FROM calls_account WHERE team_id IS NULL)"
OVER = "c.outcome = %s"  # every call of the history is
SECTIONS = ("shown", "rejected", "breakdown", "callers")  # of a report, loaded after it; the last for weeks alone
UNSEEN = "c.screens = 0 AND c.claimed_by_id IS NULL AND c.outcome <> 'rule'"


@dataclass(frozen=True)
class Case:
    what: str
    address: str
    bare: Bare | None = None  # None: the rows that the page showed, by their ids
    who: Who = "supervisor"
    at_most: float = 100.0  # milliseconds
    lists_calls: bool = True  # whether the page's rows are the bare SQL's, in the same order


@dataclass
class Facts:
    """Values to ask for, found in the history."""

    newest: datetime
    account: int
    account_name: str
    team: int
    person: str
    person_id: int
    agents_team: int
    often: int  # the contact that calls most
    common: str  # a name that many contacts have
    rare: str
    wxid: str
    voipid: str
    seldom: int  # a contact that called once
    place: tuple[datetime, int]  # the last call before page 1,000, or before the last page where there are fewer
    agents_place: tuple[datetime, int]
    a_call: int
    often_call: int
    agents_call: int
    days: list[str] = field(init=False)

    def __post_init__(self) -> None:
        """The last day, and those 27, 60, 89 and 365 days before."""
        last = self.newest.astimezone(ZONE).date()
        self.days = [str(last - timedelta(days=back)) for back in (0, 27, 60, 89, 365)]


def find_facts(agents_team: int) -> Facts:
    calls, newest_first = Call.objects.all(), Call.objects.order_by("-received_at", "-id")
    newest = newest_first[0]
    account = Account.objects.get(pk=_most_called(calls.exclude(account__team=None).exclude(account__name=""), "account"))
    person = Person.objects.get(pk=_most_called(calls.exclude(claimed_by=None), "claimed_by"))
    often = _most_called(calls, "contact")
    seldom = _who_called_once()
    assert account.team_id
    return Facts(
        newest=newest.received_at,
        account=account.pk,
        account_name=account.name,
        team=account.team_id,
        person=person.username,
        person_id=person.pk,
        agents_team=agents_team,
        often=often,
        common=_common_name(),
        rare=seldom.nickname,
        wxid=seldom.wxid[-8:],
        voipid=Call.objects.get(pk=newest.pk // 2).voipid[-7:],
        seldom=seldom.pk,
        place=_place(newest_first),
        agents_place=_place(newest_first.filter(account__team=agents_team)),
        a_call=newest.pk,
        often_call=newest_first.filter(contact=often)[0].pk,
        agents_call=newest_first.filter(account__team=agents_team)[0].pk,
    )


def _most_called(calls: QuerySet[Call], by: str) -> int:
    found: int = calls.order_by().values_list(by).annotate(calls=Count("pk")).order_by("-calls", by)[0][0]
    return found


def _who_called_once() -> Contact:
    """Or least often, with a long name, so that few others have it."""
    long = Contact.objects.annotate(length=Length("nickname"), times=Count("calls")).filter(length__gt=4, times__gt=0)
    return long.order_by("times", "-pk")[0]


def _common_name() -> str:
    short = Contact.objects.annotate(length=Length("nickname")).filter(length__in=[2, 3])
    counted = short.annotate(name=Substr("nickname", 1, 2)).values_list("name").annotate(contacts=Count("pk"))
    return str(counted.order_by("-contacts", "name")[0][0])


def _place(newest_first: QuerySet[Call]) -> tuple[datetime, int]:
    skipped = min((FAR_PAGE - 1) * PAGE, (newest_first.count() - 1) // PAGE * PAGE) - 1
    last = newest_first[max(0, skipped)]
    return last.received_at, last.pk


def cases(facts: Facts) -> list[Case]:
    return [*_pages(facts), *_filters(facts), *_searches(facts), *_agents(facts), *_calls(facts), *_reports(facts)]


def _history(what: str, where: str = "", values: tuple[object, ...] = (), who: Who = "supervisor", **asked: Any) -> Case:
    address = "/history/?" + urlencode(asked) if asked else "/history/"
    return Case(what, address, (f"{ROWS} {where and 'WHERE ' + where} {NEWEST}", values), who)


def _pages(facts: Facts) -> list[Case]:
    before = "c.received_at <= %s AND (c.received_at < %s OR c.id < %s)"
    at, pk = facts.place
    return [
        _history("first page"),
        _history("page 1,000", before, (at, at, pk), after=f"{at.isoformat()},{pk}"),
    ]


def _filters(facts: Facts) -> list[Case]:
    last, _month, twice, third, year = facts.days
    between = "c.received_at >= %s AND c.received_at < %s"
    a_month = (_midnight(third), _midnight(twice, 1))
    lately = (_midnight(third), _midnight(last, 1))
    days: dict[str, Any] = {"from": third, "to": twice}
    until_now: dict[str, Any] = {"from": third, "to": last}
    return [
        _history("days of a month", between, a_month, **days),
        _history("outcome rejected", OVER, ("rejected",), outcome="rejected"),
        _history("outcome missed", OVER, ("missed",), outcome="missed"),
        _history("outcome unconfirmed", OVER, ("unconfirmed",), outcome="unconfirmed"),
        _history("kind", "c.kind = %s", (1,), kind=1),
        _history("account", "c.account_id = %s", (facts.account,), account=facts.account),
        _history("team", OF_TEAM, (facts.team,), team=facts.team),
        _history("no team", OF_NO_TEAM, team="none"),
        _history("person", "c.claimed_by_id = %s", (facts.person_id,), agent=facts.person),
        _history("contact who calls most", "c.contact_id = %s", (facts.often,), contact=facts.often),
        _history("contact who called once", "c.contact_id = %s", (facts.seldom,), contact=facts.seldom),
        _history("nobody saw it", UNSEEN, unseen="true"),
        Case("weekday and hour", "/history/?" + urlencode({"from": year, "to": last, "weekday": 1, "hour": 10})),
        _history(
            "account, outcome, days", f"c.account_id = %s AND {OVER} AND {between}", (facts.account, "rejected", *lately),
            account=facts.account, outcome="rejected", **until_now,
        ),
        _history(
            "team, rare outcome", f"{OF_TEAM} AND {OVER}", (facts.team, "unconfirmed"), team=facts.team,
            outcome="unconfirmed",
        ),
        _history("team, unseen", f"{OF_TEAM} AND {UNSEEN}", (facts.team,), team=facts.team, unseen="true"),
        _history(
            "person, kind, outcome: rare", f"c.claimed_by_id = %s AND c.kind = 1 AND {OVER}", (facts.person_id, "refused"),
            agent=facts.person, kind=1, outcome="refused",
        ),
        _history(
            "person, nobody saw it: none", f"c.claimed_by_id = %s AND {UNSEEN}", (facts.person_id,), agent=facts.person,
            unseen="true",
        ),
        _history(
            "account, contact: none", "c.account_id = %s AND c.contact_id = %s AND c.outcome = 'rule'",
            (facts.account, facts.seldom), account=facts.account, contact=facts.seldom, outcome="rule",
        ),
    ]  # fmt: skip


def _searches(facts: Facts) -> list[Case]:
    asked = {
        "name of two characters": facts.common,
        "rare name": facts.rare,
        "part of a wxid": facts.wxid,
        "part of a voipid": facts.voipid,
        "account's name": facts.account_name,
        "agent's username": facts.person,
        "refusal reason": "base service",
        "word of a note": "发票",
        "nothing found": "没有这个人",
    }
    return [Case(f"search: {what}", "/history/?" + urlencode({"q": text})) for what, text in asked.items()] + [
        Case("search: name, outcome, days", "/history/?" + urlencode(
            {"q": facts.common, "outcome": "missed", "from": facts.days[3], "to": facts.days[0]}
        )),
    ]  # fmt: skip


def _agents(facts: Facts) -> list[Case]:
    team = facts.agents_team
    at, pk = facts.agents_place
    before = f"{OF_TEAM} AND c.received_at <= %s AND (c.received_at < %s OR c.id < %s)"
    return [
        _history("agent: first page", OF_TEAM, (team,), "agent"),
        _history("agent: page 1,000", before, (team, at, at, pk), "agent", after=f"{at.isoformat()},{pk}"),
        _history("agent: outcome", f"{OF_TEAM} AND {OVER}", (team, "refused"), "agent", outcome="refused"),
        _history("agent: kind", f"{OF_TEAM} AND c.kind = 1", (team,), "agent", kind=1),
        _history("agent: nobody saw it", f"{OF_TEAM} AND {UNSEEN}", (team,), "agent", unseen="true"),
        Case("agent: search, name", "/history/?" + urlencode({"q": facts.common}), who="agent"),
        Case("agent: search, nothing found", "/history/?" + urlencode({"q": "没有这个人"}), who="agent"),
    ]


def _calls(facts: Facts) -> list[Case]:
    return [
        _call("call page", facts.a_call),
        _call("call page, who calls most", facts.often_call),
        _call("agent: call page", facts.agents_call, "agent"),
    ]


def _call(what: str, pk: int, who: Who = "supervisor") -> Case:
    """The call, and the contact's other calls."""
    bare = f"{ROWS} WHERE c.contact_id = (SELECT contact_id FROM calls_call WHERE id = %s) ORDER BY c.id DESC LIMIT 11"
    return Case(what, f"/history/{pk}/", (bare, (pk,)), who, lists_calls=False)


def _reports(facts: Facts) -> list[Case]:
    last, four_weeks, _twice, _third, year = facts.days
    weeks, whole = {"from": four_weeks, "to": last}, {"from": year, "to": last}
    return [
        _report("report: 28 days", weeks),
        *(_report(f"report's {section}, 28 days", weeks, section=section) for section in SECTIONS),
        _report("report: 366 days", whole),
        *(_report(f"report's {section}, 366 days", whole, section=section) for section in SECTIONS[:-1]),
        _report("report: team, 366 days", whole, OF_TEAM, facts.team, team=facts.team),
        _report("report: account, 366 days", whole, "c.account_id = %s", facts.account, account=facts.account),
        _report("report: person, 366 days", whole, "c.claimed_by_id = %s", facts.person_id, agent=facts.person),
        _report("report: outcome, 366 days", whole, OVER, "missed", outcome="missed"),
        _report("agent: report, 28 days", weeks, OF_TEAM, facts.agents_team, "agent"),
        _report("agent: report, 366 days", whole, OF_TEAM, facts.agents_team, "agent"),
    ]


def _report(
    what: str,
    days: dict[str, str],
    where: str = "1 = 1",
    value: object = None,
    who: Who = "supervisor",
    section: str = "",
    **asked: Any,
) -> Case:
    """Beside it, the calls of each outcome, counted one by one."""
    counted = (
        "SELECT c.outcome, COUNT(*) FROM calls_call c WHERE c.received_at >= %s AND c.received_at < %s "
        f"AND {where} GROUP BY c.outcome"
    )
    values = (_midnight(days["from"]), _midnight(days["to"], 1), *(() if value is None else (value,)))
    address = f"/reports/{section}{'/' if section else ''}?{urlencode({**days, **asked})}"
    return Case(what, address, (counted, values), who, at_most=500, lists_calls=False)


def _midnight(day: str, later: int = 0) -> datetime:
    """The first moment of the day that is so many days later."""
    return datetime.combine(date.fromisoformat(day) + timedelta(days=later), time.min, ZONE).astimezone(UTC)
