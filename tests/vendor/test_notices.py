"""Notices to calls: which values are found where, and what becomes of those that make no sense."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls.vendor import notices
from calls.vendor.notices import EndedCall, IncomingCall, Mapping, Reading, paths
from calls.vendor.sandbox import call_notice, chat_notice

from ..factory import payload

pytestmark = pytest.mark.engineless

ACCOUNT = "1688851873049028"
CONTACT = "7881302848173300"

# As a vendor app has it unless an admin changes it.
MAPPING = Mapping(
    account=paths("wxid rel_wxid"),
    contact=paths("chat_wxid"),
    voipid=paths("voipid"),
    kind=paths("type"),
    nickname=paths("nickname"),
)
OTHER_NAMES = Mapping(
    account=paths("rel_wxid"),
    contact=paths("members.0.wxid"),
    voipid=paths("call.id"),
    kind=paths("call.media"),
    nickname=paths("members.0.name"),
    end=paths("call.state"),
    end_values=frozenset({"cancel", "hangup"}),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(["wxid", "rel_wxid", "chat_wxid", "voipid", "type", "nickname", "data", "call", "members"])
items = st.dictionaries(names, json_values | st.sampled_from([1, 2, "1", ACCOUNT, {"id": 5, "state": "cancel"}]), max_size=8)
call_notices = st.builds(
    lambda fields, data: fields | {"type": "voiceVideoCall", "data": data},
    items,
    items | st.lists(items, max_size=3) | json_values,
)


def read(*pushed: Any, mapping: Mapping = MAPPING) -> Reading:
    return notices.read(pushed, mapping)


def only_call(item: Any, mapping: Mapping = MAPPING, **around: Any) -> IncomingCall:
    """The call in a notice that holds one item."""
    reading = read({"type": "voiceVideoCall", "rel_wxid": ACCOUNT, "data": [item]} | around, mapping=mapping)
    assert reading.reasons == []
    (call,) = reading.calls
    return call


def why_unread(item: Any) -> str:
    """Why a notice that holds one item makes no sense."""
    reading = read({"type": "voiceVideoCall", "rel_wxid": ACCOUNT, "data": [item]})
    assert reading.calls == []
    (reason,) = reading.reasons
    return reason


def item(**fields: Any) -> dict[str, Any]:
    return {"wxid": ACCOUNT, "chat_wxid": CONTACT, "voipid": 161288067, "type": 2} | fields


@given(pushed=st.lists(json_values | call_notices, max_size=5), mapping=st.sampled_from([MAPPING, OTHER_NAMES]))
def test_any_json_is_read_and_nothing_is_raised(pushed: list[Any], mapping: Mapping) -> None:
    reading = notices.read(pushed, mapping)
    assert sum(reading.types.values()) == len(pushed)
    assert bool(reading.unread) == bool(reading.reasons)
    json.dumps(reading.unread)  # as which it is kept


@given(nickname=st.text(max_size=400))
def test_any_nickname_is_cut_to_what_a_database_takes(nickname: str) -> None:
    kept = only_call(item(nickname=nickname)).nickname
    assert len(kept) <= notices.LONGEST_NICKNAME
    assert "\0" not in kept
    kept.encode()  # fails for half of a surrogate pair


@given(number=st.integers(min_value=0, max_value=10**64 - 1))
def test_any_whole_number_is_a_call_id_digit_by_digit(number: int) -> None:
    assert only_call(item(voipid=number)).voipid == str(number)


def test_a_call_is_read_among_other_notices() -> None:
    reading = read(*payload("callback_mixed"))
    assert reading.calls == [IncomingCall(ACCOUNT, CONTACT, "161288067", 2, "北辰物流-陈经理")]
    assert reading.unread == []


def test_notices_are_counted_by_type() -> None:
    reading = read(*payload("callback_mixed"), {"type": "new kind"}, {}, 7, chat_notice(ACCOUNT))
    assert reading.types == {"chatMsg": 2, "voiceVideoCall": 1, "contacts": 1, "taskDone": 1, "other": 3}


def test_a_blank_after_the_type_a_single_item_and_a_missing_corp_wxid_do_no_harm() -> None:
    assert read(*payload("call_lean")).calls == [IncomingCall(ACCOUNT, CONTACT, "161288067", 1)]


def test_a_type_with_a_trailing_space_is_the_type() -> None:
    assert len(read(call_notice(ACCOUNT, CONTACT, 1) | {"type": "voiceVideoCall "}).calls) == 1


def test_data_can_be_one_object() -> None:
    assert len(read({"type": "voiceVideoCall", "data": item()}).calls) == 1


def test_data_can_be_a_list_of_several() -> None:
    reading = read({"type": "voiceVideoCall", "data": [item(voipid=1), item(voipid=2), item(voipid=3)]})
    assert [call.voipid for call in reading.calls] == ["1", "2", "3"]


def test_without_data_the_values_are_looked_for_in_the_notice() -> None:
    mapping = replace(MAPPING, kind=paths("call_type"))
    assert read(*payload("call_flat"), mapping=mapping).calls == [IncomingCall(ACCOUNT, CONTACT, "161288067", 2)]


@pytest.mark.parametrize("data", [{}, {"data": None}, {"data": []}, {"data": {}}, {"data": "text"}, {"data": 7}])
def test_a_call_notice_without_values_is_set_aside(data: dict[str, Any]) -> None:
    reading = read({"type": "voiceVideoCall", "rel_wxid": ACCOUNT} | data)
    assert reading.calls == []
    assert reading.reasons == ["no call id"]


def test_corp_wxid_can_be_missing() -> None:
    notice = call_notice(ACCOUNT, CONTACT, 1)
    del notice["corp_wxid"]
    assert len(read(notice).calls) == 1


def test_the_item_s_wxid_is_the_account() -> None:
    assert only_call(item(wxid="111"), rel_wxid="222").account == "111"


@pytest.mark.parametrize("wxid", [{}, {"wxid": None}, {"wxid": ""}])
def test_rel_wxid_is_the_account_where_wxid_is_missing(wxid: dict[str, Any]) -> None:
    fields = item()
    del fields["wxid"]
    assert only_call(fields | wxid, rel_wxid="222").account == "222"


@pytest.mark.parametrize(("sent", "kind"), [(1, 1), (2, 2), ("1", 1), ("2", 2), (" 2 ", 2)])
def test_the_kind_can_be_a_number_or_text(sent: int | str, kind: int) -> None:
    assert only_call(item(type=sent)).kind == kind


@pytest.mark.parametrize("sent", [0, 3, "3", "voice", True, [2], {"type": 2}, "2.0", "²", "２"])
def test_any_other_kind_makes_no_sense(sent: Any) -> None:
    assert why_unread(item(type=sent)) == "the kind is neither 1 (video) nor 2 (voice)"


@pytest.mark.parametrize("sent", [18446744073709551617, "18446744073709551617"])
def test_a_call_id_of_20_digits_keeps_them_all(sent: int | str) -> None:
    assert only_call(item(voipid=sent)).voipid == "18446744073709551617"


@pytest.mark.parametrize("sent", ["00161288067", "call-7f3a", "1612880670000000001.0", "1e3", "0"])
def test_a_call_id_of_text_is_kept_as_it_came(sent: str) -> None:
    assert only_call(item(voipid=sent)).voipid == sent


def test_a_call_id_of_0_is_a_call_id() -> None:
    assert only_call(item(voipid=0)).voipid == "0"


def test_blanks_around_an_id_are_dropped() -> None:
    assert only_call(item(voipid=" 161288067\n")).voipid == "161288067"


def test_ids_up_to_64_characters_are_taken() -> None:
    assert only_call(item(voipid="9" * 64)).voipid == "9" * 64


@pytest.mark.parametrize("field", ["wxid", "chat_wxid", "voipid"])
@pytest.mark.parametrize("sent", ["x" * 65, 10**64, "a\0b", "a\nb", "\ud83d", "\u202e123", "16128\ufffd", "   "])
def test_an_id_that_is_too_long_or_unreadable_makes_no_sense(field: str, sent: Any) -> None:
    assert why_unread(item(**{field: sent})).endswith("is empty, too long, or holds characters that can't be read")


@pytest.mark.parametrize("field", ["wxid", "chat_wxid", "voipid"])
@pytest.mark.parametrize("sent", [True, 1.5, ["161288067"], {"id": 1}])
def test_an_id_that_is_neither_text_nor_a_number_makes_no_sense(field: str, sent: Any) -> None:
    assert why_unread(item(**{field: sent})).endswith("is neither text nor a number")


@pytest.mark.parametrize(("field", "reason"), [("chat_wxid", "no contact"), ("voipid", "no call id")])
def test_an_item_without_an_id_makes_no_sense(field: str, reason: str) -> None:
    assert why_unread(item(**{field: None})) == reason


def test_an_item_without_any_account_makes_no_sense() -> None:
    assert read({"type": "voiceVideoCall", "data": item(wxid=None)}).reasons == ["no account"]


def test_an_item_without_a_kind_falls_back_on_the_notice_and_makes_no_sense_there() -> None:
    fields = item()
    del fields["type"]
    assert why_unread(fields) == "the kind is neither 1 (video) nor 2 (voice)"


def test_bad_items_are_set_aside_and_the_good_ones_beside_them_are_read() -> None:
    reading = read(*payload("calls_good_and_bad"))
    assert [call.voipid for call in reading.calls] == ["1001", "1004", "1005"]
    assert reading.reasons == ["no call id", "the kind is neither 1 (video) nor 2 (voice)"]


def test_of_a_notice_with_many_bad_items_what_stands_around_them_is_set_aside_once() -> None:
    notice = {"type": "voiceVideoCall", "about": "x" * 100_000, "data": [item(voipid=None)] * 2000}
    reading = read(notice)
    assert reading.unread == [notice]
    assert reading.reasons == ["no call id"]


def test_a_body_leaves_few_samples_however_many_calls_it_brings() -> None:
    reading = read({"type": "voiceVideoCall", "data": [item(voipid=number) for number in range(1000)]})
    assert len(reading.calls) == 1000
    assert len(reading.samples) == notices.SAMPLES


def test_of_a_notice_only_the_bad_item_is_set_aside() -> None:
    good, bad = item(voipid=1), item(voipid=None)
    reading = read({"type": "voiceVideoCall", "rel_wxid": ACCOUNT, "data": [good, bad]})
    assert reading.unread == [{"type": "voiceVideoCall", "rel_wxid": ACCOUNT, "data": [bad]}]


def test_chat_messages_leave_only_a_count() -> None:
    reading = read(chat_notice(ACCOUNT), chat_notice(ACCOUNT) | {"data": "makes no sense"})
    assert reading == Reading(types=reading.types, accounts=reading.accounts)
    assert reading.types == {"chatMsg": 2}
    assert reading.accounts == {ACCOUNT: 2}


def test_values_under_other_names_are_found_by_their_paths() -> None:
    assert read(*payload("call_mapped"), mapping=OTHER_NAMES).calls == [
        IncomingCall(ACCOUNT, CONTACT, "161288067", 2, "王秀英")
    ]


def test_the_first_path_that_leads_to_a_value_counts() -> None:
    mapping = replace(MAPPING, voipid=paths("call.id voip.id voipid"))
    assert only_call(item(call={"id": None}, voip={"id": 5}, voipid=6), mapping).voipid == "5"


@pytest.mark.parametrize(
    "path", ["members.7.wxid", "members.wxid", "members.-1.wxid", f"members.{'9' * 5000}", "type.x", "nothing.at.all"]
)
def test_a_path_that_leads_nowhere_finds_nothing(path: str) -> None:
    mapping = replace(MAPPING, contact=paths(path))
    reading = read({"type": "voiceVideoCall", "data": item(members=[{"wxid": CONTACT}])}, mapping=mapping)
    assert reading.reasons == ["no contact"]


def test_an_end_is_read_where_one_is_mapped() -> None:
    reading = read(*payload("end_mapped"), mapping=OTHER_NAMES)
    assert reading.ends == [EndedCall(ACCOUNT, "161288067")]
    assert reading.calls == []


def test_an_end_needs_neither_a_contact_nor_a_kind() -> None:
    mapping = replace(MAPPING, end=paths("state"), end_values=frozenset({"0"}))
    reading = read({"type": "voiceVideoCall", "data": {"wxid": ACCOUNT, "voipid": 5, "state": 0}}, mapping=mapping)
    assert reading.ends == [EndedCall(ACCOUNT, "5")]


def test_a_value_that_does_not_mean_ended_is_a_call() -> None:
    reading = read(*payload("call_mapped"), mapping=OTHER_NAMES)
    assert reading.ends == []
    assert len(reading.calls) == 1


def test_without_a_mapped_end_every_notice_is_a_call() -> None:
    mapping = replace(OTHER_NAMES, end=(), end_values=frozenset())
    assert read(*payload("end_mapped"), mapping=mapping).reasons == ["no contact"]


@pytest.mark.parametrize("nickname", [None, 7, ["a"], {"name": "a"}, ""])
def test_a_nickname_that_is_no_text_counts_as_none(nickname: Any) -> None:
    assert only_call(item(nickname=nickname)).nickname == ""


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("长" * 60_000, "长" * 200),
        ("\u202eevil", "\u202eevil"),
        ("a\0b", "a\N{REPLACEMENT CHARACTER}b"),
        ("half \ud83d pair", "half ? pair"),
        ("  陈经理 \n", "陈经理"),
        ("👩‍👩‍👧", "👩‍👩‍👧"),
    ],
)
def test_a_hostile_nickname_is_kept_as_harmless_text(sent: str, kept: str) -> None:
    assert only_call(item(nickname=sent)).nickname == kept


def test_a_setting_names_paths_between_blanks_and_steps_between_dots() -> None:
    assert paths(" wxid  data.0.id ") == (("wxid",), ("data", "0", "id"))


def test_an_empty_setting_names_no_path() -> None:
    assert paths("") == ()


WITH_EXTRAS = replace(MAPPING, avatar=paths("avatar"), time=paths("time"))


@pytest.mark.parametrize(
    ("sent", "moment"),
    [
        (1795421590, "2026-11-23T08:13:10+00:00"),
        ("1795421590", "2026-11-23T08:13:10+00:00"),
        (1795421590123, "2026-11-23T08:13:10.123000+00:00"),
        ("2026-11-23 16:13:10", "2026-11-23T08:13:10+00:00"),  # Beijing's, where no zone is named
        ("2026-11-23T09:13:10+01:00", "2026-11-23T08:13:10+00:00"),
        ("2026-11-23T08:13:10Z", "2026-11-23T08:13:10+00:00"),
    ],
)
def test_the_vendor_s_time_of_a_call_is_read_in_each_likely_form(sent: Any, moment: str) -> None:
    called_at = only_call(item(time=sent), WITH_EXTRAS).called_at
    assert called_at is not None
    assert called_at.isoformat() == moment


@pytest.mark.parametrize(
    "sent",
    [None, "", 0, -5, 17954, "soon", [], {"x": 1}, True]
    + ["0001-01-01 00:00:00", "0001-01-02 00:00:00", "1999-12-31T12:00:00Z", "9999-12-31T23:59:59Z", "９" * 10, 9999999999],
)
def test_a_time_that_makes_no_sense_costs_the_call_nothing(sent: Any) -> None:
    assert only_call(item(time=sent), WITH_EXTRAS).called_at is None


def test_no_time_is_read_where_none_is_mapped() -> None:
    assert only_call(item(time=1795421590)).called_at is None


def test_an_avatar_is_an_address_of_the_web() -> None:
    assert only_call(item(avatar="https://wx.qlogo.cn/a/0"), WITH_EXTRAS).avatar == "https://wx.qlogo.cn/a/0"


@pytest.mark.parametrize("sent", [None, 5, "", "javascript:alert(1)", "//wx.qlogo.cn/a", "https://a/" + "x" * 500])
def test_what_is_no_address_of_the_web_is_no_avatar(sent: Any) -> None:
    assert only_call(item(avatar=sent), WITH_EXTRAS).avatar == ""


def test_two_calls_that_differ_in_who_calls_whom_have_one_form() -> None:
    one, other = call_notice("1688", "788", 161288067), call_notice("1689", "789", "161288068999")
    other["data"][0]["voipid"] = 5_000_000
    assert notices.form_of(one) == notices.form_of(other)


@pytest.mark.parametrize("change", [{"type": 1}, {"status": 4}, {"voipid": "161288067"}, {"more": {"a": []}}])
def test_what_tells_the_kind_of_a_notice_is_part_of_its_form(change: dict[str, Any]) -> None:
    one, other = call_notice("1688", "788", 161288067), call_notice("1688", "788", 161288067)
    other["data"][0] |= change
    assert notices.form_of(one) != notices.form_of(other)


@pytest.mark.parametrize("names", [("李静", "王芳"), ("Al", "Bo"), ("٣", "٤")])
def test_short_names_make_no_form_of_their_own(names: tuple[str, str]) -> None:
    one, other = ({"type": "voiceVideoCall", "data": item(nickname=name)} for name in names)
    assert notices.form_of(one) == notices.form_of(other)


def test_the_form_of_a_list_does_not_depend_on_how_many_it_holds() -> None:
    assert notices.form_of([{"a": "abc"}]) == notices.form_of([{"a": "def"}, {"a": "ghi"}])


@given(value=json_values)
def test_any_json_has_a_form(value: Any) -> None:
    assert isinstance(notices.form_of(value), str)


def test_the_form_of_what_is_nested_without_end_is_cut_short() -> None:
    nested: Any = []
    for _ in range(100_000):
        nested = [nested]
    assert len(notices.form_of(nested)) < 100


# For whoever writes the mapping


def test_what_the_mapping_finds_is_shown_as_it_stands() -> None:
    notice = call_notice("168", "788", 2**60, "2", nickname=["x"])
    found = notices.found(notice, replace(MAPPING, time=notices.paths("time"), nickname=notices.paths("nickname.0")))
    assert (found["account"], found["voipid"], found["kind"], found["nickname"]) == ("168", 2**60, "2", "x")
    assert (found["time"], found["end"]) == (None, None)


def test_places_are_named_as_a_mapping_takes_them() -> None:
    notice = {"type": "voiceVideoCall", "rel_wxid": "168", "data": [{"call": {"id": 5}, "to": [{"wxid": "788"}]}]}
    assert dict(notices.places_in(notice)) == {
        "call.id": 5, "to.0.wxid": "788", "type": "voiceVideoCall", "rel_wxid": "168",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("notice", "places"),
    [
        ({"type": "voiceVideoCall", "data": [{"type": 2}]}, {"type": 2}),  # the item's hides the one around it
        ({"data": {"a.b": 1, "c d": 2, "": 3, "e": 4}}, {"e": 4}),  # what no path can name
        ({"data": {"a": None, "b": "", "c": {}, "d": []}}, {}),  # what counts as nothing
        ({"data": "text"}, {}),
        ({"data": []}, {}),
        ({}, {}),
    ],
)
def test_what_no_path_finds_is_no_place(notice: dict[str, Any], places: dict[str, Any]) -> None:
    assert list(notices.places_in(notice)) == list(places.items())


def nested(value: Any, levels: int) -> Any:
    for _ in range(levels):
        value = {"x": value}
    return value


def test_places_are_told_down_to_a_depth_that_can_be_read() -> None:
    deepest = notices.DEEPEST_PLACE
    assert [value for _, value in notices.places_in({"data": nested(5, deepest)})] == [5]
    assert list(notices.places_in({"data": nested(5, 100_000)})) == []


def test_a_place_with_a_longer_path_than_a_mapping_takes_is_left_out() -> None:
    assert list(notices.places_in({"data": {"x" * 201: 1, "x" * 100: {"y" * 100: 2, "z": 3}}})) == [(f"{'x' * 100}.z", 3)]


def test_the_first_places_of_a_huge_notice_are_told_without_looking_at_the_others() -> None:
    huge = {"data": {f"name{number}": number for number in range(200_000)}}
    assert len(list(notices.places_in(huge))) == notices.PLACES_TRIED
    assert next(notices.places_in(huge)) == ("name0", 0)


@given(call_notices)
def test_each_place_leads_to_its_value(notice: Any) -> None:
    for path, value in notices.places_in(notice):
        assert notices.found(notice, replace(MAPPING, voipid=paths(path)))["voipid"] is value


# The notice that a call was read from


def raw_of(*pushed: Any) -> list[str]:
    """What each call brings along of its notice."""
    return [call.raw for call in notices.read(pushed, MAPPING, with_raw=True).calls]


def test_a_call_brings_its_notice_with_its_own_item_and_no_other() -> None:
    first, second = item(voipid=1, extra={"a": [1, None]}), item(voipid=2, nickname="北辰物流-陈经理")
    around = {"type": "voiceVideoCall", "corp_wxid": "1970", "rel_wxid": ACCOUNT}
    raws = raw_of(around | {"data": [first, second]}, chat_notice(ACCOUNT))
    assert [json.loads(raw) for raw in raws] == [around | {"data": [one]} for one in (first, second)]
    assert "北辰物流-陈经理" in raws[1]


def test_no_notice_comes_along_unless_it_is_asked_for() -> None:
    assert only_call(item()).raw == ""


def test_a_single_item_comes_along_as_a_list_of_one() -> None:
    (raw,) = raw_of({"type": "voiceVideoCall", "data": item()})
    assert json.loads(raw) == {"type": "voiceVideoCall", "data": [item()]}


@pytest.mark.parametrize("extra", ["half \ud83d of a character", "nul \0", "汉字 \ud83d", "\u2028"])
def test_any_text_comes_along_as_a_database_takes_it(extra: str) -> None:
    (raw,) = raw_of({"type": "voiceVideoCall", "data": [item(extra=extra)], "around": extra})
    raw.encode()  # fails for half of a surrogate pair
    assert "\0" not in raw
    assert json.loads(raw)["data"][0]["extra"] == json.loads(raw)["around"] == extra


@pytest.mark.parametrize(
    "notice",
    [
        {"type": "voiceVideoCall", "data": [item(extra="x" * notices.LONGEST_RAW)]},
        {"type": "voiceVideoCall", "data": [item()], "around": "x" * notices.LONGEST_RAW},
    ],
)
def test_a_notice_that_is_too_long_is_left_out_and_its_call_is_not(notice: Any) -> None:
    assert raw_of(notice) == [""]


def test_long_surroundings_are_not_repeated_for_each_of_very_many_calls() -> None:
    around = {"type": "voiceVideoCall", "around": "x" * 8000}
    raws = raw_of(around | {"data": [item(voipid=number) for number in range(1000)]})
    assert len(raws) == 1000
    assert 0 < sum(len(raw) for raw in raws) <= notices.MOST_RAW


@given(pushed=st.lists(json_values | call_notices, max_size=5))
def test_what_comes_along_is_json_that_any_database_takes(pushed: list[Any]) -> None:
    for raw in raw_of(*pushed):
        assert json.loads(raw)["type"].strip() == "voiceVideoCall"
        raw.encode()
