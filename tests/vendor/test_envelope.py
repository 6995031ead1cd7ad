"""Bodies to notices: every form in which the ciphertext may travel, and everything that is none."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls.vendor.envelope import Form, Unreadable, key_bytes, open_body, seal

from ..factory import AES_KEY, encrypted, payload

pytestmark = pytest.mark.engineless

KEY = key_bytes(AES_KEY)
OTHER_KEY = key_bytes("0" * 32)
NOTICES = [{"type": "voiceVideoCall", "rel_wxid": "1688851873049028", "data": [{"voipid": 161288067, "nickname": "陈经理"}]}]
CIPHERTEXT = seal(NOTICES, KEY, "raw")
BASE64 = base64.b64encode(CIPHERTEXT)

ENCRYPTED_FORMS = [form for form in get_args(Form) if form != "plain"]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(
    notices=st.lists(json_values, max_size=5), form=st.sampled_from(ENCRYPTED_FORMS), key=st.binary(min_size=32, max_size=32)
)
def test_what_is_sealed_in_any_form_is_opened_again(notices: list[Any], form: Form, key: bytes) -> None:
    assert open_body(seal(notices, key, form), key) == notices


@given(notices=st.lists(json_values, max_size=5))
def test_what_is_sent_plain_is_read_where_that_is_allowed(notices: list[Any]) -> None:
    assert open_body(seal(notices, KEY, "plain"), KEY, allow_plain=True) == notices


@given(body=st.binary(max_size=300), allow_plain=st.booleans())
def test_any_bytes_are_opened_or_unreadable(body: bytes, allow_plain: bool) -> None:
    with suppress(Unreadable):
        assert isinstance(open_body(body, KEY, allow_plain), list)


@given(plaintext=st.binary(max_size=300), padded_to=st.sampled_from([16, 32, 48]))
def test_any_decrypted_bytes_are_notices_or_unreadable(plaintext: bytes, padded_to: int) -> None:
    with suppress(Unreadable):
        assert isinstance(open_body(encrypted(plaintext, KEY, padded_to), KEY), list)


@given(content=json_values, allow_plain=st.booleans())
def test_any_json_is_opened_or_unreadable(content: Any, allow_plain: bool) -> None:
    with suppress(Unreadable):
        assert isinstance(open_body(json.dumps(content).encode(), KEY, allow_plain), list)


@given(content=json_values)
def test_any_decrypted_json_is_notices_or_unreadable(content: Any) -> None:
    with suppress(Unreadable):
        assert isinstance(open_body(seal(content, KEY), KEY), list)


def test_base64_is_opened() -> None:
    assert open_body(BASE64, KEY) == NOTICES


def test_url_safe_base64_is_opened() -> None:
    notices = next(  # what holds both letters in which the alphabets differ
        [{"type": "chatMsg", "data": str(number)}]
        for number in range(1000)
        if {b"-", b"_"}
        <= {bytes([byte]) for byte in base64.urlsafe_b64encode(seal([{"type": "chatMsg", "data": str(number)}], KEY, "raw"))}
    )
    assert open_body(base64.urlsafe_b64encode(seal(notices, KEY, "raw")), KEY) == notices


def test_base64_without_padding_is_opened() -> None:
    assert BASE64.endswith(b"=")
    assert open_body(BASE64.rstrip(b"="), KEY) == NOTICES


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_base64_broken_into_lines_is_opened(line_end: bytes) -> None:
    lines = [BASE64[at : at + 76] for at in range(0, len(BASE64), 76)]
    assert len(lines) > 1
    assert open_body(line_end.join(lines) + line_end, KEY) == NOTICES


def test_base64_among_blanks_is_opened() -> None:
    assert open_body(b" \n" + BASE64 + b"\n ", KEY) == NOTICES


def test_a_json_string_is_opened() -> None:
    assert open_body(json.dumps(BASE64.decode()).encode(), KEY) == NOTICES


def test_a_json_string_with_escaped_slashes_is_opened() -> None:
    notices = next([number] for number in range(1000) if b"/" in seal([number], KEY))
    assert open_body(seal(notices, KEY, "json-string").replace(b"/", rb"\/"), KEY) == notices


def test_a_json_string_broken_into_lines_is_opened() -> None:
    assert open_body(json.dumps(base64.encodebytes(CIPHERTEXT).decode()).encode(), KEY) == NOTICES


@pytest.mark.parametrize("name", ["encrypt", "data", "密文"])
def test_a_json_object_with_one_text_is_opened_whatever_its_name(name: str) -> None:
    assert open_body(json.dumps({name: BASE64.decode()}).encode(), KEY) == NOTICES


def test_a_json_object_is_opened_with_other_texts_around_the_ciphertext() -> None:
    body = {"app_id": "a1b2", "nonce": "0" * 64, "time": 1700000000, "encrypt": BASE64.decode(), "sign": "f" * 32, "x": None}
    assert open_body(json.dumps(body).encode(), KEY) == NOTICES


def test_a_text_that_decrypts_to_what_looks_padded_does_not_hide_the_ciphertext() -> None:
    nonce = base64.b64encode(encrypted(b"no JSON", KEY)).decode()
    assert open_body(json.dumps({"nonce": nonce, "encrypt": BASE64.decode()}).encode(), KEY) == NOTICES


def test_raw_bytes_are_opened() -> None:
    assert open_body(CIPHERTEXT, KEY) == NOTICES


def test_plain_json_is_refused_unless_it_is_allowed() -> None:
    with pytest.raises(Unreadable):
        open_body(json.dumps(NOTICES).encode(), KEY)


def test_plain_json_is_read_where_it_is_allowed() -> None:
    assert open_body(json.dumps(NOTICES).encode(), KEY, allow_plain=True) == NOTICES


@pytest.mark.parametrize("form", ENCRYPTED_FORMS)
def test_ciphertext_is_opened_also_where_plain_json_is_allowed(form: Form) -> None:
    assert open_body(seal(NOTICES, KEY, form), KEY, allow_plain=True) == NOTICES


def test_a_single_notice_stands_for_a_list_of_one() -> None:
    assert open_body(seal(NOTICES[0], KEY), KEY) == NOTICES


@pytest.mark.parametrize("length", range(32))
def test_every_length_of_padding_is_taken_off(length: int) -> None:
    notices = ["x" * length]
    assert open_body(encrypted(json.dumps(notices).encode(), KEY), KEY) == notices


def test_padding_to_the_cipher_s_own_blocks_is_taken_off_too() -> None:
    assert open_body(encrypted(b'["16-byte blocks"]', KEY, padded_to=16), KEY) == ["16-byte blocks"]


def test_padding_longer_than_the_vendor_s_is_refused() -> None:
    with pytest.raises(Unreadable, match="can't be decrypted"):
        open_body(encrypted(b"[]", KEY, padded_to=48), KEY)


def test_a_sample_callback_survives_seal_and_open() -> None:
    assert open_body(seal(payload("callback_mixed"), KEY), KEY) == payload("callback_mixed")


def test_a_key_of_43_characters_is_base64() -> None:
    assert key_bytes(AES_KEY) == base64.b64decode(AES_KEY + "=")


def test_a_key_of_32_characters_is_the_key_itself() -> None:
    assert key_bytes("ringdeskDemoKeyOfThirtyTwoChars!") == b"ringdeskDemoKeyOfThirtyTwoChars!"


@pytest.mark.parametrize("form", ENCRYPTED_FORMS)
def test_a_key_of_32_characters_opens_what_it_sealed(form: Form) -> None:
    assert open_body(seal(NOTICES, OTHER_KEY, form), OTHER_KEY) == NOTICES


@pytest.mark.parametrize("text", ["", "short", "k" * 31, "k" * 33, "k" * 42, "k" * 44, "!" * 43, "钥" * 43, "é" * 32])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # base64 has texts of its own for it
        key_bytes(text)


@pytest.mark.parametrize("form", ENCRYPTED_FORMS)
def test_a_wrong_key_makes_a_body_unreadable(form: Form) -> None:
    with pytest.raises(Unreadable, match="can't be decrypted with this encoding_aes_key"):
        open_body(seal(NOTICES, OTHER_KEY, form), KEY)


def test_a_body_cut_off_between_blocks_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        open_body(CIPHERTEXT[:-16], KEY)


def test_a_body_cut_off_within_a_block_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        open_body(CIPHERTEXT[:-5], KEY)


def test_base64_cut_off_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        open_body(BASE64[:-7], KEY)


def test_base64_of_no_whole_blocks_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="neither ciphertext"):
        open_body(base64.b64encode(CIPHERTEXT + b"x"), KEY)


@pytest.mark.parametrize(
    "body", [b"", b" \n", b'""', b"{}", b"[]", b"null", b"=", b"hello", b"\xff\xfe\x00", b'{"encrypt": ""}']
)
def test_a_body_that_holds_nothing_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable, match="neither ciphertext"):
        open_body(body, KEY)


@pytest.mark.parametrize(
    "plaintext",
    [
        b"",
        b"hello",
        b"[",
        b'"text"',
        b"1",
        b"null",
        b'{"no": "type"}',
        b"[1] [2]",
        b"\xff\xfe[\x001\x00]\x00",
    ],
)
def test_a_body_that_decrypts_to_no_list_is_unreadable(plaintext: bytes) -> None:
    with pytest.raises(Unreadable, match="no JSON array"):
        open_body(encrypted(plaintext, KEY), KEY)


def test_a_byte_order_mark_is_skipped() -> None:
    assert open_body(encrypted(b"\xef\xbb\xbf" + json.dumps(NOTICES).encode(), KEY), KEY) == NOTICES


@pytest.mark.parametrize("bracket", [b"[", b'{"a":'])
def test_json_nested_100000_deep_is_unreadable(bracket: bytes) -> None:
    with pytest.raises(Unreadable, match="no JSON array"):
        open_body(encrypted(bracket * 100_000, KEY), KEY)


def test_plain_json_nested_100000_deep_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        open_body(b"[" * 100_000 + b"]" * 100_000, KEY, allow_plain=True)


def test_a_number_of_20_digits_keeps_every_digit() -> None:
    assert open_body(encrypted(b"[18446744073709551617]", KEY), KEY) == [18446744073709551617]


def test_a_number_with_a_point_or_an_exponent_stays_text() -> None:
    assert open_body(encrypted(b"[1612880670000000001.0, 1e3, NaN, -Infinity]", KEY), KEY) == [
        "1612880670000000001.0",
        "1e3",
        "NaN",
        "-Infinity",
    ]


def test_a_number_of_5000_digits_does_not_cost_the_notices_beside_it() -> None:
    digits = "9" * 5000
    assert open_body(encrypted(f"[{digits}, 7]".encode(), KEY), KEY) == [digits, 7]


def test_half_of_a_surrogate_pair_is_sealed_and_opened() -> None:
    assert open_body(encrypted(rb'["\ud83d"]', KEY), KEY) == ["\ud83d"]


@pytest.mark.parametrize(
    ("cut", "read"),
    [(b"\xe9\x99\x88\xe7\xbb", "陈\ufffd"), (b"\xed\xa0\xbd", "\ufffd\ufffd\ufffd"), (b"a\tb\nc", "a\tb\nc")],
)
def test_a_text_with_bytes_that_json_forbids_does_not_cost_the_notices_beside_it(cut: bytes, read: str) -> None:
    assert open_body(encrypted(b'["' + cut + b'", 7]', KEY), KEY) == [read, 7]


def test_base64_behind_a_byte_order_mark_is_opened() -> None:
    assert open_body(b"\xef\xbb\xbf" + BASE64, KEY) == NOTICES
