"""Reading notices: what the vendor pushed, as calls and ends of calls. Pure functions, no Django.

Source: showdoc yunzhenji 11490693160849765. The fields of a `voiceVideoCall` item aren't known for sure, so where each value
stands is a setting (see VendorApp).
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from itertools import chain, islice
from typing import Any, TypeAlias

from .envelope import Unreadable

CALL = "voiceVideoCall"
CHAT = "chatMsg"
KNOWN_TYPES = frozenset({CHAT, "contacts", "taskDone", CALL})

LONGEST_ID = 64  # characters
LONGEST_NICKNAME = 200  # characters
LONGEST_ADDRESS = 500  # characters
SHORT_VALUE = 2  # characters
DEEPEST_FORM = 20  # levels
SAMPLES = 20  # of one body
LONGEST_RAW = 16 * 1024  # characters of a notice as JSON; a longer one isn't passed on
MOST_RAW = 1024 * 1024  # characters, of one body: what stands around its items may be long, and is repeated for each
# What is looked at to tell where values stand: how deep and how large a notice is, is up to its sender.
DEEPEST_PLACE = 50  # levels
LONGEST_PLACE = 200  # characters of a path; no setting takes more
PLACES_TRIED = 10_000
LONGEST_INDEX = 9  # digits
YEARS = range(
    2000, 2101
)  # in which a call may have been; the first and the last that there are can't be shown in every zone
_encoder = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":"))
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
    # The notice that it was read from, as JSON, with the one item that became this call; empty where it isn't asked for, or
    # is too long.
    raw: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True)
class EndedCall:
    account: str
    voipid: str


Counts: TypeAlias = defaultdict[str, int]  # as a Counter, but quicker to make; each callback needs some
_counts = partial(defaultdict[str, int], int)


@dataclass(slots=True)
class Reading:
    """What one callback's notices came to."""

    calls: list[IncomingCall] = field(default_factory=list)
    ends: list[EndedCall] = field(default_factory=list)
    types: Counts = field(default_factory=_counts)  # notices by type; unknown types as "other"
    accounts: Counts = field(default_factory=_counts)  # notices by the account that they concern, where they say it
    samples: list[Any] = field(default_factory=list)  # the first notices of calls as they came, one item each
    unread: list[Any] = field(
        default_factory=list
    )  # notices that should have been calls, with those items that made no sense
    reasons: list[str] = field(default_factory=list)  # why they made none, each reason once
    raw_room: int = 0  # characters of notices that are still passed on with their calls


def paths(setting: str) -> tuple[tuple[str, ...], ...]:
    """`"wxid data.id"` as paths: blanks separate paths, dots separate steps."""
    return tuple(tuple(path.split(".")) for path in setting.split())


def read(notices: Iterable[Any], mapping: Mapping, with_raw: bool = False) -> Reading:
    """Every call and end of a call among the notices. One that makes no sense is set aside, and costs no other.

    with_raw: whether each call brings along the notice that it was read from.
    """
    reading = Reading(raw_room=MOST_RAW if with_raw else 0)
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


def places_in(notice: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every value in a notice's first item, then every one around it, after the path with which a mapping finds it.

    What no path finds is left out: a value that one of the same name in the item hides, a name with a dot or a blank in it.
    So is what stands too deep, and what comes after a great many others. One after the other: whoever asks may need few.
    """
    item = _items(notice)[0]
    around = {name: value for name, value in notice.items() if name != "data"}
    told = set()
    for path, value in islice(chain(_leaves(item), _leaves(around)), PLACES_TRIED):
        if value is not None and path not in told and _look_up(paths(path), item, notice) is value:
            told.add(path)
            yield path, value


def form_of(value: Any, levels: int = DEEPEST_FORM) -> str:
    """What stands where in a notice, without the values: the same for two calls that differ in who calls whom alone.

    Short numbers count as part of the form, since they tell what kind of notice it is: `"type": 2`, `"status": "4"`. Other
    short texts don't: they may be names.
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
            is_short_number = len(text) <= SHORT_VALUE and text.isascii() and text.isdecimal()
            return text if is_short_number else type(value).__name__


def _leaves(value: Any, path: str = "", levels: int = DEEPEST_PLACE) -> Iterator[tuple[str, Any]]:
    """Every value that holds no others, after its path, in the order in which they stand."""
    if not isinstance(value, (dict, list)):
        yield path, value
    elif levels:
        for step, one in value.items() if isinstance(value, dict) else enumerate(value):
            longer = f"{path}.{step}".removeprefix(".")
            if len(longer) <= LONGEST_PLACE:
                yield from _leaves(one, longer, levels - 1)


def _items(notice: dict[str, Any]) -> list[Any]:
    data = notice.get("data")
    return (data if isinstance(data, list) else [data]) or [None]


def _read_call_notice(notice: dict[str, Any], mapping: Mapping, reading: Reading) -> None:
    bad = []
    around = _around(notice) if reading.raw_room else ""
    for item in _items(notice):
        if len(reading.samples) < SAMPLES:
            reading.samples.append(notice | {"data": [item]})
        raw = _raw(around, item, reading.raw_room) if around else ""
        try:
            found = _read_item(item, notice, mapping, raw)
        except Unreadable as reason:
            bad.append(item)
            if str(reason) not in reading.reasons:
                reading.reasons.append(str(reason))
        else:
            (reading.calls if isinstance(found, IncomingCall) else reading.ends).append(found)  # type: ignore[arg-type]
            reading.raw_room -= len(raw)
    if bad:  # together: what stands around them may be long
        reading.unread.append(notice | {"data": bad})


def _around(notice: dict[str, Any]) -> str:
    """What stands around a notice's items, as the beginning of JSON; empty where that is too long."""
    around = _as_json({name: value for name, value in notice.items() if name != "data"})
    return f"{around[:-1]}," if 0 < len(around) <= LONGEST_RAW else ""


def _raw(around: str, item: Any, room: int) -> str:
    """A notice with one of its items, as JSON; empty where there is no room for it."""
    text = _as_json(item)
    raw = f'{around}"data":[{text}]}}'
    return raw if text and len(raw) <= min(LONGEST_RAW, room) else ""


def _as_json(value: Any) -> str:
    """Empty where it is nested deeper than Python writes. Half a character, which no database takes, is escaped."""
    try:
        text = _encoder.encode(value)
        return text if text.isascii() or _is_whole(text) else json.dumps(value)
    except RecursionError:
        return ""


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read_item(item: Any, notice: dict[str, Any], mapping: Mapping, raw: str) -> IncomingCall | EndedCall:
    account = _identifier("account", _look_up(mapping.account, item, notice))
    voipid = _identifier("call id", _look_up(mapping.voipid, item, notice))
    end = _look_up(mapping.end, item, notice)
    if isinstance(end, (str, int, float)) and str(end) in mapping.end_values:
        return EndedCall(account, voipid)
    return IncomingCall(
        account=account,
        contact=_identifier("contact", _look_up(mapping.contact, item, notice)),
        voipid=voipid,
        kind=_kind(_look_up(mapping.kind, item, notice)),
        nickname=strangers_text(_look_up(mapping.nickname, item, notice), LONGEST_NICKNAME),
        avatar=web_address(_look_up(mapping.avatar, item, notice)),
        called_at=_moment(_look_up(mapping.time, item, notice)),
        raw=raw,
    )


def _look_up(places: Iterable[Sequence[str]], item: Any, notice: dict[str, Any]) -> Any:
    """The first value found: in the item, then in the notice around it. None where there is none."""
    for path in places:
        for holder in (item, notice):
            value = holder
            for step in path:
                if isinstance(value, dict):
                    value = value.get(step)
                elif isinstance(value, list) and _is_index(step) and int(step) < len(value):
                    value = value[int(step)]
                else:
                    value = None
            if value is not None and value != "":
                return value
    return None


def _is_index(step: str) -> bool:
    return step.isdecimal() and len(step) <= LONGEST_INDEX


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


def strangers_text(value: Any, longest: int) -> str:
    """Cut to length. What no database takes (NUL, half characters) is replaced."""
    if not isinstance(value, str):
        return ""
    return value[:longest].replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode().strip()


def web_address(value: Any) -> str:
    """An address of the web; empty where it is none, or too long to be kept whole."""
    text = strangers_text(value, LONGEST_ADDRESS + 1)
    return text if text.startswith(("http://", "https://")) and len(text) <= LONGEST_ADDRESS else ""


def _moment(value: Any) -> datetime | None:
    """A moment, given as seconds or milliseconds since 1970 or as an ISO date and time; None where it makes no sense."""
    if not isinstance(value, (str, int)):
        return None
    text = str(value).strip()
    try:
        if text.isdecimal() and len(text) in {10, 13}:
            at = datetime.fromtimestamp(int(text[:10]), UTC) + timedelta(milliseconds=int(text[10:] or 0))
        else:
            at = datetime.fromisoformat(text)
            at = (at if at.tzinfo else at.replace(tzinfo=BEIJING)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at if at.year in YEARS else None
