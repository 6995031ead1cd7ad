from .account import Account
from .attempt import Attempt
from .call import Call
from .contact import Contact
from .person import Person
from .team import Team
from .unread import UnreadBody
from .vendor_app import VendorApp

__all__ = ["Account", "Attempt", "Call", "Contact", "Person", "Team", "UnreadBody", "VendorApp"]
