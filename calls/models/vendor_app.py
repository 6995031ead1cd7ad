from __future__ import annotations

import ipaddress
import secrets
from functools import cached_property

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator, URLValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

AES_KEY = RegexValidator(
    r"^([A-Za-z0-9+/]{43}|[!-~]{32})$",
    _("The vendor's encoding_aes_key has 43 letters and digits, or 32 characters. Copy it whole, without blanks."),
)

IN_AN_ADDRESS = RegexValidator(r"^[A-Za-z0-9_-]+\Z", _("Use letters, digits, - and _ alone: this is part of an address."))


def new_callback_secret() -> str:
    return secrets.token_urlsafe(24)


def check_networks(text: str) -> None:
    for word in text.split():
        try:
            ipaddress.ip_network(word, strict=False)
        except ValueError:
            raise ValidationError(
                _("“%(word)s” is neither an address (203.0.113.7) nor a network (203.0.113.0/24)."),
                params={"word": word},
            ) from None


class VendorApp(models.Model):
    """One set of the vendor's credentials, and how its callbacks are read.

    A path names where a value stands in a notice, with dots between the steps (`call.id`, `members.0.wxid`). It is looked
    for in the item of `data`, then in the notice around it. Several paths are tried in turn, separated by blanks.
    """

    name = models.CharField(_("name"), max_length=60, unique=True)
    base_url = models.CharField(
        _("address of the vendor's API"),
        max_length=200,
        default="https://oapi-yzj.miaokol.com",
        validators=[URLValidator(schemes=["http", "https"])],
        help_text=_("With a prefix where your own domain has one, such as http://x.example.com/oapi."),
    )
    app_id = models.CharField("app_id", max_length=120)
    app_secret = models.CharField(
        "app_secret",
        max_length=200,
        blank=True,
        help_text=_("For fetching access tokens. Leave empty with a fixed one."),
    )
    access_token = models.CharField(
        _("fixed access_token"),
        max_length=1000,
        blank=True,
        help_text=_("Only where the vendor gave you one for good."),
    )
    aes_key = models.CharField("encoding_aes_key", max_length=43, validators=[AES_KEY])
    callback_secret = models.CharField(
        _("callback secret"),
        max_length=100,
        unique=True,
        default=new_callback_secret,
        validators=[IN_AN_ADDRESS],
        help_text=_("Part of the callback address. Whoever knows the address can send callbacks."),
    )
    allowlist = models.TextField(
        _("allowed addresses"),
        blank=True,
        validators=[check_networks],
        help_text=_("From where callbacks are taken: addresses or networks, one per line. Empty: from anywhere."),
    )
    allow_plain_json = models.BooleanField(
        _("take unencrypted callbacks"),
        default=False,
        help_text=_(
            "Only for apps to which the vendor pushes plain JSON; then anyone who knows the address can make up calls."
        ),
    )
    ring_seconds = models.PositiveSmallIntegerField(
        _("ring window in seconds"),
        default=60,
        validators=[MinValueValidator(1), MaxValueValidator(3600)],
        help_text=_("How long a call is taken to ring."),
    )

    account_path = models.CharField(_("account"), max_length=200, default="wxid rel_wxid")
    contact_path = models.CharField(_("contact"), max_length=200, default="chat_wxid")
    voipid_path = models.CharField(_("call id"), max_length=200, default="voipid")
    kind_path = models.CharField(_("kind (1 video, 2 voice)"), max_length=200, default="type")
    nickname_path = models.CharField(_("contact's nickname"), max_length=200, default="nickname", blank=True)
    avatar_path = models.CharField(_("contact's avatar"), max_length=200, blank=True)
    time_path = models.CharField(
        _("time of the call"),
        max_length=200,
        blank=True,
        help_text=_("Seconds or milliseconds since 1970, or a date and time (Beijing's, where it names no zone)."),
    )
    end_path = models.CharField(
        _("end of the call"),
        max_length=200,
        blank=True,
        help_text=_("Where a notice says that a call has ended. Empty: calls end with the ring window."),
    )
    end_values = models.CharField(
        _("values that mean ended"), max_length=200, blank=True, help_text=_("Separated by blanks.")
    )

    # The access token in use, shared by all processes and kept over a restart: a new one may end the old one.
    # It is good until somewhat before it expires.
    token = models.CharField(max_length=1000, blank=True, editable=False)
    token_good_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("vendor app")
        verbose_name_plural = _("vendor apps")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if bool(self.end_path) != bool(self.end_values):
            raise ValidationError(_("The end of a call needs both: where it stands, and which values mean ended."))

    def forget_token(self) -> None:
        """Have the next reject fetch a token anew, since the credentials may have changed."""
        self.token = ""
        self.token_good_until = None

    @property
    def has_credentials(self) -> bool:
        """Whether there is a way to a token. Calls come in without one, but none can be rejected."""
        return bool(self.app_secret or self.access_token)

    @property
    def callback_url(self) -> str:
        """The address to give to the vendor."""
        return f"{settings.PUBLIC_URL}/callbacks/{self.callback_secret}/"

    @cached_property
    def networks(self) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        """The allowlist; empty: everyone may send."""
        return [ipaddress.ip_network(word, strict=False) for word in self.allowlist.split()]

    def admits(self, address: str) -> bool:
        """Whether a callback from this address is taken. Something that is no address is not, unless everyone is."""
        if not self.networks:
            return True
        try:
            sender = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(sender, ipaddress.IPv6Address) and sender.ipv4_mapped:
            sender = sender.ipv4_mapped
        return any(sender in network for network in self.networks)
