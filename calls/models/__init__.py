from .account import Account
from .attempt import Attempt
from .call import Call
from .callback import Callback
from .contact import Contact
from .person import Person
from .sample import NoticeSample
from .team import Team
from .traffic import AccountTraffic, AnswerTime
from .unread import UnreadBody
from .vendor_app import VendorApp

__all__ = [
    "Account",
    "AccountTraffic",
    "AnswerTime",
    "Attempt",
    "Call",
    "Callback",
    "Contact",
    "NoticeSample",
    "Person",
    "Team",
    "UnreadBody",
    "VendorApp",
]
