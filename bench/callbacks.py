"""Callbacks of the vendor, made up: numbered, so that each call is known again in the database."""

from __future__ import annotations

FIRST_ACCOUNT = 1688850000000000
FIRST_CONTACT = 7881300000000000
FIRST_STRANGER = 7881400000000000
FIRST_VOIPID = 7_000_000_000_000_000_000  # beyond what a float holds
ACCOUNTS = 20
CONTACTS = 500  # fewer than a board shows, so that what rings since they were made known is not cut short

Notices = list[dict[str, object]]


def from_a_contact(number: int) -> Notices:
    """One new call; of so many, each contact made one."""
    return _call(number, f"Caller {number % CONTACTS}", FIRST_CONTACT + number % CONTACTS)


def from_a_stranger(number: int) -> Notices:
    """One new call from a contact that never called before."""
    return _call(number, f"Stranger {number}", FIRST_STRANGER + number)


def chat(number: int) -> Notices:
    account = str(FIRST_ACCOUNT + number % ACCOUNTS)
    message = {
        "wxid": account,
        "chat_wxid": str(FIRST_CONTACT + number % CONTACTS),
        "msg_type": 1,
        "content": "你好,在吗?" * 8,
    }
    return [{"type": "chatMsg ", "corp_wxid": "1970325000000000", "rel_wxid": account, "data": [message]}]


def voipid(number: int) -> str:
    """The vendor's id of the call of this number."""
    return str(FIRST_VOIPID + number)


def _call(number: int, nickname: str, contact: int) -> Notices:
    account = str(FIRST_ACCOUNT + number % ACCOUNTS)
    item = {
        "wxid": account,
        "chat_wxid": str(contact),
        "voipid": FIRST_VOIPID + number,
        "type": 1 + number % 2,
        "nickname": nickname,
    }
    return [{"type": "voiceVideoCall", "corp_wxid": "1970325000000000", "rel_wxid": account, "data": [item]}]
