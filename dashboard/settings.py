"""All settings. What can differ from one installation to the next comes from the environment, which is read here, once.

docs/configuration.md lists every variable with its default.
"""

from pathlib import Path
from urllib.parse import urlsplit

from django.utils.translation import gettext_lazy as _

from . import environment

BASE_DIR = Path(__file__).resolve().parent.parent

DEBUG = environment.switch("DEBUG", default=False)
DATA_DIR = environment.data_folder("DATA_DIR", default=BASE_DIR / "var")
SECRET_KEY = environment.secret_key("SECRET_KEY", DATA_DIR)
BIND_HOST, BIND_PORT = environment.address("BIND", default="127.0.0.1:8000")
PUBLIC_URL = environment.url("PUBLIC_URL", default=f"http://{environment.text('BIND', '127.0.0.1:8000')}")
WORKERS = environment.whole_number("WORKERS", default=1, at_least=1)

# The demo command marks its data folder with a file of this name; every page then says that its calls are made up.
DEMO_MARK = DATA_DIR / "demo"
DEMO = DEMO_MARK.exists()

# Hosts and the addresses of pages

ALLOWED_HOSTS = environment.hosts("ALLOWED_HOSTS") or [
    "localhost",
    "127.0.0.1",
    "[::1]",
    BIND_HOST,
    str(urlsplit(PUBLIC_URL).hostname),
]
CSRF_TRUSTED_ORIGINS = [*environment.urls("CSRF_TRUSTED_ORIGINS"), PUBLIC_URL]
BEHIND_HTTPS = PUBLIC_URL.startswith("https://")
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_HTTPS
# The health checks are asked from inside, where there is no HTTPS.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_HTTPS else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

ROOT_URLCONF = "dashboard.urls"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "board"
LOGOUT_REDIRECT_URL = "login"
CSRF_FAILURE_VIEW = "dashboard.pages.errors.csrf_failure"

# Applications

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",  # its words for numbers
    "channels",
    "django_filters",
    "django_htmx",
    "calls",
    "dashboard",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "dashboard.middleware.StaticFiles",
    "dashboard.middleware.CompressedPages",
    "dashboard.middleware.clicks_first",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "dashboard.middleware.reader_language",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "dashboard.middleware.SignInRequired",
    "dashboard.middleware.new_password_first",
    "dashboard.middleware.reader_time_zone",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "dashboard.pages.navigation.navigation",
            ],
            "builtins": ["django.templatetags.i18n", "calls.templatetags.ringdesk"],
        },
    },
]

# Data

SQLITE_FILE = str(DATA_DIR / "ringdesk.sqlite3")
DATABASES = {"default": environment.database("DATABASE_URL", default=f"sqlite:///{SQLITE_FILE}")}
ON_SQLITE = DATABASES["default"]["ENGINE"].endswith("sqlite3")
LOCKS_WAITED_FOR = 5  # seconds; whoever waits for longer gets an error, and says so or tries again
if ON_SQLITE:
    DATABASES["default"]["ENGINE"] = "calls.sqlite"
    DATABASES["default"]["OPTIONS"] = {
        # A transaction that reads before it writes would fail, not wait, when another wrote in between.
        "transaction_mode": "IMMEDIATE",
        "timeout": LOCKS_WAITED_FOR,
        # FULL: an answered callback survives a power cut. The writer pays for it once per group of calls.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-8000;",
    }
    # Tests use a file as well: the threads of the real thing can't share a database in memory.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}
else:
    DATABASES["default"]["ENGINE"] = "calls.postgresql"
    # A machine that is gone is found out within seconds, by this side and, so that it frees what was locked, by the other.
    DATABASES["default"]["OPTIONS"] = {
        "connect_timeout": 3,  # seconds, for each host
        "tcp_user_timeout": 5000,  # milliseconds
        "keepalives_idle": 5,  # seconds
        "keepalives_interval": 2,
        "keepalives_count": 3,
        # By itself PostgreSQL would wait for locks for ever. What the address says of `options` goes before.
        "options": "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3"
        f" -c lock_timeout={LOCKS_WAITED_FOR}s",
    } | DATABASES["default"].get("OPTIONS", {})
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = environment.redis("REDIS_URL")
REDIS_WITHIN = {"socket_connect_timeout": 2, "socket_timeout": 2}  # seconds; then the connection is made anew
if REDIS_URL:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            # Redis passes messages on whatever the number of the database, so the number is part of their address.
            "CONFIG": {
                "hosts": [{"address": REDIS_URL, **REDIS_WITHIN}],
                "prefix": f"ringdesk-{environment.redis_database(REDIS_URL)}-",
            },
        }
    }
else:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels.layers.InMemoryChannelLayer",
            # A full channel drops without a word. Messages hold ids only, and the hub drains them at once.
            "CONFIG": {"capacity": 100_000},
        }
    }
if WORKERS > 1 and (ON_SQLITE or not REDIS_URL):
    environment.refuse("WORKERS above 1 needs PostgreSQL and Redis. Set DATABASE_URL and REDIS_URL, or WORKERS=1.")

# How long, how many rows and how many MiB of kept bodies the callback log holds

CALLBACK_LOG_DAYS = environment.whole_number("CALLBACK_LOG_DAYS", default=30, at_least=1)
CALLBACK_LOG_ROWS = environment.whole_number("CALLBACK_LOG_ROWS", default=20_000, at_least=100)
CALLBACK_LOG_MIB = environment.whole_number("CALLBACK_LOG_MIB", default=100, at_least=1)

# For how many days calls (with their notes), attempts and raw notices are kept; what belongs to a call goes with it at the
# latest. 0: calls and attempts for ever, and no raw notices at all

CALL_DAYS = environment.days("CALL_DAYS", default=0)
ATTEMPT_DAYS = environment.days("ATTEMPT_DAYS", default=0)
NOTICE_DAYS = environment.days("NOTICE_DAYS", default=90)

# Whether the vendor is asked for contacts' names, and their avatars are fetched; and whether also from addresses that only
# this machine and its networks can reach

LOOK_UP_CONTACTS = environment.switch("LOOK_UP_CONTACTS", default=True)
AVATARS_FROM_INSIDE = environment.switch("AVATARS_FROM_INSIDE", default=False)

# Where the files of exports are, and for how many days they are kept

EXPORT_DIR = environment.data_folder("EXPORT_DIR", default=DATA_DIR / "exports")
EXPORT_DAYS = environment.whole_number("EXPORT_DAYS", default=7, at_least=1)

# Web Push: the hosts of push services (those of Chrome, Firefox, Edge and Safari), subdomains included. To others nothing is
# posted

PUSH_SERVICES = [
    "fcm.googleapis.com",
    "push.services.mozilla.com",
    "notify.windows.com",
    "push.apple.com",
    *environment.hosts("PUSH_SERVICES"),
]
PUSH_SERVICES_ON_THIS_MACHINE = False  # for tests, which have one of their own

# People

AUTH_USER_MODEL = "calls.Person"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{validator}"}
    for validator in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

# Language and time

LANGUAGE_CODE = environment.choice("LANGUAGE_CODE", default="zh-hans", allowed=("zh-hans", "en"))
LANGUAGES = [("zh-hans", _("Chinese")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "dashboard" / "locale"]
USE_TZ = True
TIME_ZONE = environment.zone("TIME_ZONE", default="Asia/Shanghai")

# Static files: served by WhiteNoise straight from the source folders, with no build or collect step

STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True
STORAGES = {"staticfiles": {"BACKEND": "dashboard.static_files.Versioned"}}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "django": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        # 4xx answers are everyday refusals, not the operator's concern.
        "django.request": {"handlers": ["stderr"], "level": "ERROR", "propagate": False},
    },
}
