"""Reading notices: what the vendor pushed, as calls and ends of calls. Pure functions, no Django.

Source: showdoc yunzhenji 11490693160849765. The fields of a `voiceVideoCall` item aren't known for sure, so where each value
stands is a setting (see VendorApp).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from .envelope import Unreadable

CALL = "voiceVideoCall"
CHAT = "chatMsg"
KNOWN_TYPES = frozenset({CHAT, "contacts", "taskDone", CALL})

LONGEST_ID = 64  # characters
LONGEST_NICKNAME = 200  # characters
LONGEST_ADDRESS = 500  # characters
SHORT_VALUE = 2  # characters
DEEPEST_FORM = 20  # levels
BEIJING = timezone(timedelta(hours=8))  # where the vendor is; the zone of a time that names none


@dataclass(frozen=True)
class Mapping:
    """Where the values stand in a notice: paths to try in turn, each a sequence of steps."""

    account: tuple[tuple[str, ...], ...]
    contact: tuple[tuple[str, ...], ...]
    voipid: tuple[tuple[str, ...], ...]
    kind: tuple[tuple[str, ...], ...]
    nickname: tuple[tuple[str, ...], ...] = ()
    avatar: tuple[tuple[str, ...], ...] = ()
    time: tuple[tuple[str, ...], ...] = ()
    end: tuple[tuple[str, ...], ...] = ()
    end_values: frozenset[str] = frozenset()


@dataclass(frozen=True)
class IncomingCall:
    account: str
    contact: str
    voipid: str
    kind: int
    nickname: str = ""
    avatar: str = ""  # an address, as it came
    called_at: datetime | None = None  # by the vendor's clock, where it says so


@dataclass(frozen=True)
class EndedCall:
    account: str
    voipid: str


@dataclass
class Reading:
    """What one callback's notices came to."""

    calls: list[IncomingCall] = field(default_factory=list)
    ends: list[EndedCall] = field(default_factory=list)
    types: Counter[str] = field(default_factory=Counter)  # notices by type; unknown types as "other"
    accounts: Counter[str] = field(default_factory=Counter)  # notices by the account that they concern, where they say it
    samples: list[Any] = field(default_factory=list)  # notices of calls as they came, one item each
    unread: list[Any] = field(default_factory=list)  # notices that should have been calls but made no sense
    reasons: list[str] = field(default_factory=list)  # why, for each of them


def paths(setting: str) -> tuple[tuple[str, ...], ...]:
    """`"wxid data.id"` as paths: blanks separate paths, dots separate steps."""
    return tuple(tuple(path.split(".")) for path in setting.split())


def read(notices: Iterable[Any], mapping: Mapping) -> Reading:
    """Every call and end of a call among the notices. One that makes no sense is set aside, and costs no other."""
    reading = Reading()
    for notice in notices:
        if not isinstance(notice, dict):
            reading.types["other"] += 1
            continue
        if isinstance(account := notice.get("rel_wxid"), str):
            reading.accounts[account] += 1
        kind = str(notice.get("type")).strip()
        reading.types[kind if kind in KNOWN_TYPES else "other"] += 1
        if kind == CALL:
            _read_call_notice(notice, mapping, reading)
    return reading


def found(notice: dict[str, Any], mapping: Mapping) -> dict[str, Any]:
    """What stands where the mapping points, in a notice's first item: by the mapping's names, None where nothing stands."""
    item = _items(notice)[0]
    places = {
        "account": mapping.account,
        "contact": mapping.contact,
        "voipid": mapping.voipid,
        "kind": mapping.kind,
        "nickname": mapping.nickname,
        "avatar": mapping.avatar,
        "time": mapping.time,
        "end": mapping.end,
    }
    return {name: _look_up(paths, item, notice) for name, paths in places.items()}


def places_in(notice: dict[str, Any]) -> dict[str, Any]:
    """Every value in a notice's first item, then every one around it, by the path with which a mapping finds it.

    What no path finds is left out: a value that one of the same name in the item hides, a name with a dot or a blank in it.
    """
    item = _items(notice)[0]
    around = {name: value for name, value in notice.items() if name != "data"}
    leaves = [leaf for leaf in (*_leaves(item), *_leaves(around)) if leaf[1] is not None]
    return {path: value for path, value in leaves if _look_up(paths(path), item, notice) is value}


def form_of(value: Any, levels: int = DEEPEST_FORM) -> str:
    """What stands where in a notice, without the values: the same for two calls that differ in who calls whom alone.

    Short values count as part of the form, since they tell what kind of notice it is: `"type": 2`, `"status": 4`.
    """
    match value:
        case dict() if levels:
            return "{" + ",".join(f"{key}:{form_of(value[key], levels - 1)}" for key in sorted(value)) + "}"
        case list() if levels:
            return "[" + ",".join(sorted({form_of(one, levels - 1) for one in value})) + "]"
        case dict() | list():
            return type(value).__name__
        case None | bool():
            return str(value)
        case _:
            text = str(value)
            return text if len(text) <= SHORT_VALUE else type(value).__name__


def _leaves(value: Any) -> list[tuple[str, Any]]:
    """Every value that holds no others, after its path, in the order in which they stand."""
    leaves: list[tuple[str, Any]] = []
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:  # no recursion: how deep it goes is up to the sender
        path, holder = waiting.pop()
        if isinstance(holder, dict):
            inner = list(holder.items())
        elif isinstance(holder, list):
            inner = list(enumerate(holder))
        else:
            leaves.append((path, holder))
            continue
        waiting += [(f"{path}.{step}".removeprefix("."), one) for step, one in reversed(inner)]
    return leaves


def _items(notice: dict[str, Any]) -> list[Any]:
    data = notice.get("data")
    return (data if isinstance(data, list) else [data]) or [None]


def _read_call_notice(notice: dict[str, Any], mapping: Mapping, reading: Reading) -> None:
    for item in _items(notice):
        alone = notice | {"data": [item]}
        reading.samples.append(alone)
        try:
            found = _read_item(item, notice, mapping)
        except Unreadable as reason:
            reading.unread.append(alone)
            reading.reasons.append(str(reason))
        else:
            (reading.calls if isinstance(found, IncomingCall) else reading.ends).append(found)  # type: ignore[arg-type]


def _read_item(item: Any, notice: dict[str, Any], mapping: Mapping) -> IncomingCall | EndedCall:
    account = _identifier("account", _look_up(mapping.account, item, notice))
    voipid = _identifier("call id", _look_up(mapping.voipid, item, notice))
    if mapping.end and str(_look_up(mapping.end, item, notice)) in mapping.end_values:
        return EndedCall(account, voipid)
    return IncomingCall(
        account=account,
        contact=_identifier("contact", _look_up(mapping.contact, item, notice)),
        voipid=voipid,
        kind=_kind(_look_up(mapping.kind, item, notice)),
        nickname=_strangers_text(_look_up(mapping.nickname, item, notice), LONGEST_NICKNAME),
        avatar=_address(_look_up(mapping.avatar, item, notice)),
        called_at=_moment(_look_up(mapping.time, item, notice)),
    )


def _look_up(places: Iterable[Sequence[str]], item: Any, notice: dict[str, Any]) -> Any:
    """The first value found: in the item, then in the notice around it. None where there is none."""
    for path in places:
        for holder in (item, notice):
            value = holder
            for step in path:
                if isinstance(value, dict):
                    value = value.get(step)
                elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
                    value = value[int(step)]
                else:
                    value = None
            if value is not None and value != "":
                return value
    return None


def _identifier(what: str, value: Any) -> str:
    """An id as text, exactly as it was sent; numbers keep every digit.

    Raises: Unreadable where it is missing, too long, no text or number, or holds characters that no id has.
    """
    if value is None:
        raise Unreadable(f"no {what}")
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise Unreadable(f"the {what} is neither text nor a number")
    text = str(value).strip()
    if not text or len(text) > LONGEST_ID or not text.isprintable() or "\N{REPLACEMENT CHARACTER}" in text:
        raise Unreadable(f"the {what} is empty, too long, or holds characters that can't be read")
    return text


def _kind(value: Any) -> int:
    """1 video, 2 voice; the vendor's own page sends it as a number and as text."""
    if isinstance(value, (str, int)) and str(value).strip() in {"1", "2"}:
        return int(value)
    raise Unreadable("the kind is neither 1 (video) nor 2 (voice)")


def _strangers_text(value: Any, longest: int) -> str:
    """Cut to length. What no database takes (NUL, half characters) is replaced."""
    if not isinstance(value, str):
        return ""
    return value[:longest].replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode().strip()


def _address(value: Any) -> str:
    """An address of the web; empty where it is none, or too long to be kept whole."""
    text = _strangers_text(value, LONGEST_ADDRESS + 1)
    return text if text.startswith(("http://", "https://")) and len(text) <= LONGEST_ADDRESS else ""


def _moment(value: Any) -> datetime | None:
    """A moment, given as seconds or milliseconds since 1970 or as an ISO date and time; None where it makes no sense."""
    text = str(value).strip()
    try:
        if text.isdecimal() and len(text) in {10, 13}:
            return datetime.fromtimestamp(int(text[:10]), UTC) + timedelta(milliseconds=int(text[10:] or 0))
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=BEIJING)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
