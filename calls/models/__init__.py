from .account import Account
from .attempt import Attempt
from .avatar import Avatar
from .call import Call
from .callback import Callback
from .contact import Contact
from .export import Export
from .follow_up import FollowUp
from .note import Note
from .notice import RawNotice
from .person import Person
from .purge import Purge
from .push_subscription import PushSubscription
from .reason import Reason
from .rollup import AccountCount, DelayCount, DelayTotal, HourCount, PersonCount, RolledDay
from .sample import NoticeSample
from .saved_view import SavedView
from .search import ChangedText, IndexedUpTo
from .team import Team
from .traffic import AccountTraffic, AnswerTime
from .unread import UnreadBody
from .vendor_app import VendorApp

__all__ = [
    "Account",
    "AccountCount",
    "AccountTraffic",
    "AnswerTime",
    "Attempt",
    "Avatar",
    "Call",
    "Callback",
    "ChangedText",
    "Contact",
    "DelayCount",
    "DelayTotal",
    "Export",
    "FollowUp",
    "HourCount",
    "IndexedUpTo",
    "Note",
    "NoticeSample",
    "Person",
    "PersonCount",
    "Purge",
    "PushSubscription",
    "RawNotice",
    "Reason",
    "RolledDay",
    "SavedView",
    "Team",
    "UnreadBody",
    "VendorApp",
]
