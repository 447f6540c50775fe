"""Godwit's settings. Everything that differs between installations is an environment variable.

docs/configuration.md lists the variables; `config.env` says how each is read.
"""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import django_stubs_ext
from celery.schedules import crontab
from kombu import Exchange, Queue

from config import env as read
from config.embedded import Home
from config.env import Env
from templates_app import redis_servers
from tracking.inbound.mailboxes import Address as BounceMailbox
from tracking.inbound.mailboxes import parse_all as parse_mailboxes

# Lets classes of Django that have no parameters at run time take them: ModelForm[Recipient].
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent

env = Env(os.environ)
home = env.attempt(
    lambda: Home.from_environ(os.environ, base_dir=BASE_DIR), otherwise=Home(BASE_DIR / ".godwit")
)

# Where the embedded servers, generated secrets and journals live.
STATE_DIR = home.path

# --- site -------------------------------------------------------------------------------------

DEBUG = env.read("DEBUG", read.flag, default=False)
SECRET_KEY = env.read("SECRET_KEY", read.long_secret, default="") or env.attempt(
    lambda: home.secret("secret_key"), otherwise="unusable"
)
# Earlier ones: what they encrypted or signed is still read.
SECRET_KEY_FALLBACKS = list(env.read("SECRET_KEY_FALLBACKS", read.keys, default=read.NONE))
SITE_URL = env.read("SITE_URL", read.site_url, default="http://localhost:8000")
_HTTPS = SITE_URL.startswith("https://")
_HOST = SITE_URL.split("://")[1]
_HOST = _HOST if _HOST.endswith("]") else _HOST.rsplit(":", 1)[0]  # without the port

ALLOWED_HOSTS = [_HOST, *env.read("ALLOWED_HOSTS", read.words, default=read.NONE)]
if not _HTTPS:
    ALLOWED_HOSTS += ["localhost", "127.0.0.1", "[::1]"]
CSRF_TRUSTED_ORIGINS = [SITE_URL]
CSRF_FAILURE_VIEW = "config.web.keeping.csrf_failure"

# SITE_URL says whether people arrive by HTTPS; nothing else has to be switched.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = _HTTPS
# __Host-: browsers take it from this very host alone, by HTTPS, for all of its paths.
SESSION_COOKIE_NAME = "__Host-sessionid" if _HTTPS else "sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken" if _HTTPS else "csrftoken"
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if _HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _HTTPS
BEHIND_PROXY = env.read("BEHIND_PROXY", read.flag, default=False)
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# RFC 8058 3.1: a one-click POST must not be answered by a redirect. A personal link neither: it has
# been counted when it comes here, and would be again.
SECURE_REDIRECT_EXEMPT = [r"^u/", r"^(healthz|readyz|metrics)$", r"^c/[^/]+/"]
X_FRAME_OPTIONS = "DENY"

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "django.forms",
    "django_celery_beat",
    "django_celery_results",
    "anymail",
    "django_htmx",
    "ninja",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "config",
    "recipients",
    "templates_app",
    "tracking",
    "campaigns",
    "config.accounts",
]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "config.web.request_id.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "config.web.headers.PolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "config.web.access.AccessMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "config.accounts.middleware.SignInMiddleware",
    "config.accounts.acting.ActingMiddleware",
    "config.accounts.profile.ProfileMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "config.urls"
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"  # config/templates/django/forms
WSGI_APPLICATION = "config.wsgi.application"
LOGIN_URL = ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
LOGIN_REDIRECT_URL = "campaigns:dashboard"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "config" / "templates"],  # before those of packages
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "config.web.menu.menu",
            ],
        },
    },
]

STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True  # the static files are served from the packages; nothing to collect

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("vi", "Tiếng Việt")]
LOCALE_PATHS = [BASE_DIR / "config" / "locale"]  # `manage.py update_translations` writes there
FORMAT_MODULE_PATH = ["config.formats"]
TIME_ZONE = "UTC"
USE_TZ = True

# --- people who work here (config.accounts; docs.allauth.org) -----------------------------------

AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}", "OPTIONS": options}
    for name, options in {
        "UserAttributeSimilarityValidator": {},
        "MinimumLengthValidator": {"min_length": 12},
        "CommonPasswordValidator": {},
        "NumericPasswordValidator": {},
    }.items()
]
# From the sign-in on, whatever is done meanwhile.
SESSION_COOKIE_AGE = env.read("SESSION_HOURS", read.count, default=24 * 7) * 3600
# So many wrong passwords for one name, and none is looked at for so long.
SIGN_IN_ATTEMPTS = env.read("SIGN_IN_ATTEMPTS", read.count, default=10)
LOCK_OUT_SECONDS = env.read("LOCK_OUT_SECONDS", read.positive_seconds, default=900)
# Whether nobody opens a page before they have a second factor.
REQUIRE_MFA = env.read("REQUIRE_MFA", read.flag, default=False)

# What people did is kept so long, 0 for ever; and whether their IP address is.
AUDIT_DAYS = env.read("AUDIT_DAYS", read.days, default=730)
AUDIT_IP = env.read("AUDIT_IP", read.flag, default=True)

ACCOUNT_ADAPTER = "config.accounts.adapters.AccountAdapter"
ACCOUNT_FORMS = {"login": "config.accounts.forms.SignInForm"}
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"  # an administrator has typed the address
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = "Godwit: "
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_RATE_LIMITS = {
    "login": "60/m/ip",
    "login_failed": f"20/m/ip,{SIGN_IN_ATTEMPTS}/{LOCK_OUT_SECONDS}s/key",
}

MFA_ADAPTER = "config.accounts.adapters.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_TOTP_ISSUER = "Godwit"
MFA_TOTP_TOLERANCE = 1  # clocks of phones
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not _HTTPS  # browsers allow it for localhost alone

# Another door: a provider of OpenID Connect.
OIDC_ISSUER = env.read("OIDC_ISSUER", read.issuer, default="")
OIDC_NAME = env.text("OIDC_NAME", "single sign-on")
# What who is not known yet may do; empty: nobody comes in whom no administrator has made.
OIDC_ROLE = env.read("OIDC_ROLE", read.role, default="")
_OIDC_APP = {
    "provider_id": "sso",
    "name": OIDC_NAME,
    "client_id": env.text("OIDC_CLIENT_ID"),
    "secret": env.text("OIDC_CLIENT_SECRET"),
    "settings": {"server_url": OIDC_ISSUER, "oauth_pkce_enabled": True},
}
SOCIALACCOUNT_ADAPTER = "config.accounts.adapters.OIDCAdapter"
SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [_OIDC_APP] if OIDC_ISSUER else []}}
# By a link: the policy of the pages (form-action) would stop a form from leading to the provider.
SOCIALACCOUNT_LOGIN_ON_GET = True
SOCIALACCOUNT_STORE_TOKENS = False

# --- HTTP API -----------------------------------------------------------------------------------

# So many requests of one key, or of one person, within a minute.
API_RATE_LIMIT = env.read("API_RATE_LIMIT", read.count, default=600)

# --- PostgreSQL and the broker ----------------------------------------------------------------

# Whether a pooler is before PostgreSQL that hands a session on after each transaction.
BEHIND_POOLER = env.read("BEHIND_POOLER", read.flag, default=False)
_database = env.read("DATABASE_URL", read.database_url, default=home.database)
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        # Celery's fixup drops the connection around each task unless it is told to reuse it
        # (CELERY_DB_REUSE_MAX); a reused one is checked before use.
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        # A cursor of the server's is its session's, which is another one after each transaction.
        "DISABLE_SERVER_SIDE_CURSORS": BEHIND_POOLER,
        **_database,
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.read("REDIS_URL", read.redis_url, default=f"unix://{home.redis_socket}?db=0")
# Redis' own, or RabbitMQ's. Messages between processes are all that is in it.
BROKER_URL = env.read("BROKER_URL", read.broker_url, default=REDIS_URL)
# What all web processes count together: who tries to sign in, and how often.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": [REDIS_URL],  # a text would be split at each semicolon
        "KEY_PREFIX": "godwit",
        "OPTIONS": {
            "pool_class": "templates_app.redis_servers.Pool",
            "socket_connect_timeout": 2,
            "socket_timeout": 2,
        },
    },
}

# --- sending ----------------------------------------------------------------------------------

# The way out of every sender that names no transport of its own.
EMAIL_URL = env.text("EMAIL_URL", "smtp://127.0.0.1:1025")
# Waits after the first, second … deferral of a recipient; after the last one it has failed. The
# first ones are those of greylisting hosts. A full mailbox has a schedule of its own.
RETRY_SCHEDULE: tuple[int, ...] = env.read(
    "RETRY_SCHEDULE",
    read.seconds_list,
    default=(300, 900, 1800, 3600, 7200, 14400, 28800, *[43200] * 5),
)
# How long a worker may hold the deliveries that it claimed.
LEASE_SECONDS = env.read("LEASE_SECONDS", read.positive_seconds, default=300)
# How long a page may stand still before its lost messages are sent again.
REDISPATCH_SECONDS = env.read("REDISPATCH_SECONDS", read.positive_seconds, default=30)
# How long a delivery waits that found the transport missing, or met a limit.
TRANSPORT_WAIT_SECONDS = env.read("TRANSPORT_WAIT_SECONDS", read.positive_seconds, default=30)
# How long nothing leaves by a transport, or to a domain, that says it limits us; doubled each time.
BREAKER_SECONDS = env.read("BREAKER_SECONDS", read.positive_seconds, default=600)
# Further queues of deliveries, to which senders may be assigned: of a region, of a team.
QUEUES = env.read("QUEUES", read.queue_names, default=read.NONE)
WORKER_MEMORY_MB = env.read("WORKER_MEMORY_MB", read.megabytes, default=400)
# After that time a message that is in doubt is sent again, in campaigns that want that.
UNCONFIRMED_RESEND_SECONDS = env.read(
    "UNCONFIRMED_RESEND_SECONDS", read.positive_seconds, default=900
)
# How long after it was confirmed a campaign departs that is to be sent now: time to take it back.
DEPARTURE_SECONDS = env.read("DEPARTURE_SECONDS", read.ten_minutes, default=60)
# Whether a second person has to approve what is sent.
TWO_PERSON_APPROVAL = env.read("TWO_PERSON_APPROVAL", read.flag, default=False)
# From when to when recipients are left alone, by their own clocks; but for what is urgent.
QUIET_HOURS = env.read("QUIET_HOURS", read.span_of_day, default=None)
SWEEP_SECONDS = env.read("SWEEP_SECONDS", read.positive_seconds, default=5)
# TaskResult rows of runs that ended longer ago are deleted; 0 keeps them for ever.
TASK_RESULT_DAYS = env.read("TASK_RESULT_DAYS", read.days, default=90)
# Sign the tokens in messages (newest first, all are accepted); apart from SECRET_KEY, because
# links in old messages have to outlive it.
TOKEN_KEYS = env.read("TOKEN_KEYS", read.keys, default=read.NONE) or (
    env.attempt(lambda: home.secret("token_key"), otherwise="unusable"),
)

# Contents that were saved so long ago, and that nothing has sent, are deleted; 0: never.
VERSION_DAYS = env.read("VERSION_DAYS", read.days, default=0)

# What became of single messages is kept so long after they were accepted; 0: for ever.
MESSAGE_DAYS = env.read("MESSAGE_DAYS", read.days, default=90)

# Which installation a database belongs to; kept outside of it. Where the database is elsewhere,
# this machine's state directory says nothing about it.
INSTANCE_ID = env.text("INSTANCE_ID") or (
    "" if env.text("DATABASE_URL") else env.attempt(lambda: home.secret("instance"), otherwise="")
)

# What the preflight of a campaign asks: SpamAssassin's daemon, if there is one; and the addresses
# from which messages leave, where they are known, to see whether receivers would believe them.
SPAMD = env.read("SPAMD", read.daemon, default="")
EGRESS_ADDRESSES = env.read("EGRESS_ADDRESSES", read.ip_addresses, default=read.NONE)

# --- tracking ---------------------------------------------------------------------------------

# What is measured of opens and clicks: full, anonymous or off. Lists and campaigns may want less.
TRACKING = env.read("TRACKING", read.tracking, default="full")
# Mailboxes of bounces and complaints, which are emptied each minute; and for how many days what
# came in is kept.
_NO_MAILBOXES: tuple[BounceMailbox, ...] = ()
BOUNCE_MAILBOXES = env.read("BOUNCE_MAILBOXES", parse_mailboxes, default=_NO_MAILBOXES)
INBOUND_DAYS = env.read("INBOUND_DAYS", read.days, default=30)
# Soft bounces that suppress an address: of so many runs, over so many days; and what an address
# that is invalid by words alone has to be within so many days once more.
SOFT_BOUNCES = env.read("SOFT_BOUNCES", read.count, default=3)
SOFT_BOUNCE_DAYS = env.read("SOFT_BOUNCE_DAYS", read.days, default=14)
REPEATED_BOUNCE_DAYS = env.read("REPEATED_BOUNCE_DAYS", read.days, default=30)
# Whether the network (/24, /48) that an open or a click came from is kept, and the networks of
# programs that look at messages before people do. Addresses themselves are never kept.
HIT_NETWORKS = env.read("HIT_NETWORKS", read.flag, default=False)
SCANNER_NETWORKS = env.read("SCANNER_NETWORKS", read.networks, default=read.NONE)
# Whether nothing is measured of recipients who were not asked, or have not answered.
TRACKING_CONSENT_REQUIRED = env.read("TRACKING_CONSENT_REQUIRED", read.flag, default=False)
# The hits of runs that ended longer ago are deleted, their sums are kept; 0 keeps them for ever.
HIT_DAYS = env.read("HIT_DAYS", read.days, default=365)
# Above these percentages a run is paused, and it warns before; 0: never. Refusals are those of one
# group of domains within 15 minutes, because of the sender or the content.
GUARD_HARD_BOUNCES = env.read("GUARD_HARD_BOUNCES", read.percentage, default=5.0)
GUARD_COMPLAINTS = env.read("GUARD_COMPLAINTS", read.percentage, default=0.3)
GUARD_REFUSALS = env.read("GUARD_REFUSALS", read.percentage, default=20.0)
# What providers tell is taken where one of these proves that they tell it; the names are Anymail's
# but for Amazon's and Resend's, whose signatures are verified by us.
ANYMAIL: dict[str, Any] = {
    "WEBHOOK_SECRET": list(env.read("ANYMAIL_WEBHOOK_SECRET", read.logins, default=read.NONE)),
    "AMAZON_SES_TOPICS": env.read("ANYMAIL_AMAZON_SES_TOPICS", read.topics, default=read.NONE),
    "RESEND_WEBHOOK_SECRET": env.read("ANYMAIL_RESEND_WEBHOOK_SECRET", read.svix, default=""),
    **{name: key for name in read.WEBHOOK_KEYS if (key := env.text(f"ANYMAIL_{name}"))},
}
# What they told is kept for so many days, and until it was worked off.
WEBHOOK_DAYS = env.read("WEBHOOK_DAYS", read.days, default=30)
# What we tell programs elsewhere: which private networks they may stand in, and for how many days
# the log of the calls is kept.
WEBHOOK_NETWORKS = env.read("WEBHOOK_NETWORKS", read.networks, default=read.NONE)
WEBHOOK_CALL_DAYS = env.read("WEBHOOK_CALL_DAYS", read.days, default=7)

# --- recipients -------------------------------------------------------------------------------

# Digests of addresses, by which people who were erased stay suppressed, are made with it: unlike
# other keys it cannot be changed, because nobody has the addresses any more.
ADDRESS_KEY = env.read("ADDRESS_KEY", read.long_secret, default="") or env.attempt(
    lambda: home.secret("address_key"), otherwise="unusable"
)
# From where people subscribed (IP address, browser) is kept so long; 0: it is never stored.
CONSENT_ORIGIN_DAYS = env.read("CONSENT_ORIGIN_DAYS", read.days, default=0)
# The file of an export can be fetched so long; files of imports and their rejected rows are kept so
# long after they were uploaded, and notices (asking to confirm, greeting) after they were made.
EXPORT_DAYS = env.read("EXPORT_DAYS", read.days, default=3)
IMPORT_FILE_DAYS = env.read("IMPORT_FILE_DAYS", read.days, default=30)
NOTICE_DAYS = env.read("NOTICE_DAYS", read.days, default=365)
# How often forms may be used within an hour: for an address (more are answered alike, and come to
# nothing), and from a network, /24 or /48 (more are refused).
SIGNUP_ADDRESS_LIMIT = env.read("SIGNUP_ADDRESS_LIMIT", read.count, default=5)
SIGNUP_NETWORK_LIMIT = env.read("SIGNUP_NETWORK_LIMIT", read.count, default=60)
# A class that tells people from programs (recipients.captcha), and what is called when somebody
# confirms for the first time (recipients.signup.Welcome).
SIGNUP_CAPTCHA = env.read("SIGNUP_CAPTCHA", read.dotted_path, default="")
WELCOME_HOOKS = env.read("WELCOME_HOOKS", read.dotted_paths, default=read.NONE)
# Files that were uploaded and files that are to be fetched; nothing in it is served by its path.
MEDIA_ROOT = env.read("MEDIA_DIR", Path, default=STATE_DIR / "files")
MEDIA_STORAGE = env.read(
    "MEDIA_STORAGE",
    read.media_storage,
    default={
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": MEDIA_ROOT / "library"},
    },
)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "media": MEDIA_STORAGE,
}
FILE_UPLOAD_PERMISSIONS, FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o600, 0o700

# --- media ------------------------------------------------------------------------------------

# Megabytes of one file of the library, and of one message with all that is attached to it, as it
# is sent: encoded, which adds a third.
MEDIA_FILE_MB = env.read("MEDIA_FILE_MB", read.megabytes, default=10)
MESSAGE_MB = env.read("MESSAGE_MB", read.megabytes, default=5)
# Where clamd listens; without it, files are not scanned.
CLAMD = env.read("CLAMD", read.scanner, default="")
# The browser that takes pictures of templates; without one of this name, none are taken.
CHROMIUM = env.text("CHROMIUM")

# --- Celery (names without the prefix: docs.celeryq.dev, "Configuration and defaults") ----------

_RABBITMQ = BROKER_URL.startswith("amqp")
_SENTINELS = redis_servers.sentinels(BROKER_URL) if redis_servers.is_sentinels(BROKER_URL) else None
# The shortest of all programs on one Redis wins.
_VISIBILITY = {} if _RABBITMQ else {"visibility_timeout": 600}
_REDIS_OPTIONS = {
    **_VISIBILITY,
    # A worker takes of its queues in the order in which `-Q` names them.
    "queue_order_strategy": "priority",
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    "unacked_restore_limit": 500,
    "unacked_mutex_expire": 30,
    "socket_timeout": 15,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 10,
}
if _SENTINELS:
    _REDIS_OPTIONS |= {
        "master_name": _SENTINELS.master,
        "sentinel_kwargs": _SENTINELS.kwargs,
    }
# Publishing waits until RabbitMQ says that it has the message.
_RABBITMQ_OPTIONS = {"confirm_publish": True, "connect_timeout": 5}
CELERY_BROKER_URL = (
    _SENTINELS.celery_url
    if _SENTINELS
    else read.certified(BROKER_URL)
    .replace("unix://", "redis+socket://", 1)
    .replace("?db=", "?virtual_host=")
)
CELERY_BROKER_TRANSPORT_OPTIONS = _RABBITMQ_OPTIONS if _RABBITMQ else _REDIS_OPTIONS
CELERY_VISIBILITY_TIMEOUT = 600
CELERY_RESULT_BACKEND_TRANSPORT_OPTIONS = _VISIBILITY
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_CHANNEL_ERROR_RETRY = True
CELERY_BROKER_HEARTBEAT = 60 if _RABBITMQ else 0  # seconds; Redis has none
# With which key messages to workers are signed, and whose certificates count (config.signing).
TASK_SIGNING = env.all_or_none(
    ["TASK_SIGNING_KEY", "TASK_SIGNING_CERT", "TASK_SIGNING_STORE"], read.absolute_path
)
# Signed messages are of another type (config.signing.messages), results are not.
CELERY_TASK_SERIALIZER = CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_RESULT_ACCEPT_CONTENT = ["json"]
# Named, so that a name that was mistyped is an error and not a queue that nobody serves.
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_TASK_QUEUES = [
    Queue(name, Exchange(name), routing_key=name) for name in (*read.OWN_QUEUES, *QUEUES)
]
CELERY_TASK_DEFAULT_QUEUE = "maintenance"
# What belongs to a run is routed where it is sent: campaigns.tasks.
CELERY_TASK_ROUTES = {
    "campaigns.tick": {"queue": "control"},
    "campaigns.retry": {"queue": "control"},
    "campaigns.call_webhooks": {"queue": "webhooks"},
    "recipients.import_step": {"queue": "imports"},
    "campaigns.preflight": {"queue": "imports"},
    "campaigns.check_sender": {"queue": "imports"},
    # It waits for the servers of others, up to half a minute each time.
    "tracking.poll_mailbox": {"queue": "imports"},
    "tracking.*": {"queue": "tracking"},
    "campaigns.hand_over": {"queue": "transactional"},
    "campaigns.send_notices": {"queue": "transactional"},
    "campaigns.send_summaries": {"queue": "transactional"},
    "campaigns.tell_of_webhooks": {"queue": "transactional"},
    "accounts.send_mail": {"queue": "transactional"},
}
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TRACK_STARTED = False
# A fuse above the longest lawful chunk: a lease, and one reply to the final dot (RFC 5321
# 4.5.3.2.6).
CELERY_TASK_TIME_LIMIT = LEASE_SECONDS + 660
CELERY_RESULT_BACKEND = "django-db"
CELERY_RESULT_EXTENDED = True
CELERY_RESULT_EXPIRES = None  # campaigns.retention deletes in small steps instead
CELERY_RESULT_CHORD_JOIN_TIMEOUT = 60
CELERY_DB_REUSE_MAX = 1000
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_ETA_TASK_LIMIT = 1000
# A child that has done so many tasks, or whose memory ever was larger, makes room for a new one
# when its task is done: what a library leaks does not grow for ever. Seldom, because the next one
# may be five seconds in coming (measured; the pool looks so often).
CELERY_WORKER_MAX_TASKS_PER_CHILD = 50_000
CELERY_WORKER_MAX_MEMORY_PER_CHILD = WORKER_MEMORY_MB * 1024  # KiB
CELERY_WORKER_PROC_ALIVE_TIMEOUT = 30
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_ENABLE_PREFETCH_COUNT_REDUCTION = False
CELERY_WORKER_DEDUPLICATE_SUCCESSFUL_TASKS = False
CELERY_ENABLE_UTC = True
CELERY_TIMEZONE = "UTC"
DJANGO_CELERY_BEAT_TZ_AWARE = True
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_SYNC_EVERY = 1
CELERY_BEAT_MAX_LOOP_INTERVAL = 1
CELERY_BEAT_SCHEDULE = {
    # Schedules of campaigns are rows of ours; Beat only ticks. A tick that waited is worthless.
    "tick": {
        "task": "campaigns.tick",
        "schedule": timedelta(seconds=1),
        "options": {"expire_seconds": 5},
    },
    "retry": {
        "task": "campaigns.retry",
        "schedule": timedelta(seconds=1),
        "options": {"expire_seconds": 5},
    },
    "sweep": {
        "task": "campaigns.sweep",
        "schedule": timedelta(seconds=SWEEP_SECONDS),
        "options": {"expire_seconds": SWEEP_SECONDS},
    },
    "imports": {
        "task": "recipients.sweep_imports",
        "schedule": timedelta(seconds=10),
        "options": {"expire_seconds": 10},
    },
    "guard": {
        "task": "campaigns.guard",
        "schedule": timedelta(seconds=10),
        "options": {"expire_seconds": 10},
    },
    "follow_feedback": {
        "task": "tracking.follow_feedback",
        "schedule": timedelta(seconds=10),
        "options": {"expire_seconds": 10},
    },
    "fold": {
        "task": "campaigns.fold",
        "schedule": timedelta(minutes=1),
        "options": {"expire_seconds": 60},
    },
    "webhooks": {
        "task": "tracking.handle_webhooks",
        "schedule": timedelta(seconds=3),
        "options": {"expire_seconds": 3},
    },
    "call_webhooks": {
        "task": "campaigns.call_webhooks",
        "schedule": timedelta(seconds=1),
        "options": {"expire_seconds": 1},
    },
    "tell_of_webhooks": {
        "task": "campaigns.tell_of_webhooks",
        "schedule": timedelta(minutes=1),
        "options": {"expire_seconds": 60},
    },
    "summaries": {
        "task": "campaigns.send_summaries",
        "schedule": timedelta(minutes=1),
        "options": {"expire_seconds": 60},
    },
    "preflights": {
        "task": "campaigns.sweep_preflights",
        "schedule": timedelta(seconds=10),
        "options": {"expire_seconds": 10},
    },
    "check_senders": {
        "task": "campaigns.check_senders",
        "schedule": crontab(hour="3", minute="20"),
        "options": {"expire_seconds": 6 * 3600},
    },
    "mend_indexes": {
        "task": "campaigns.mend_indexes",
        "schedule": timedelta(minutes=1),
        "options": {"expire_seconds": 60},
    },
    "scan_media": {
        "task": "campaigns.scan_media",
        "schedule": timedelta(minutes=1),
        "options": {"expire_seconds": 60},
    },
    "inbound": {
        "task": "tracking.handle_inbound",
        "schedule": timedelta(seconds=5),
        "options": {"expire_seconds": 5},
    },
    "bounce_mailboxes": {
        "task": "tracking.poll_mailboxes",
        "schedule": timedelta(minutes=1),
        "options": {"expire_seconds": 60},
    },
    "consume": {
        "task": "tracking.consume",
        "schedule": timedelta(seconds=1),
        "options": {"expire_seconds": 5},
    },
    "tally": {
        "task": "tracking.tally",
        "schedule": timedelta(seconds=5),
        "options": {"expire_seconds": 5},
    },
    "forget_audit": {
        "task": "accounts.forget_audit",
        "schedule": crontab(hour="4", minute="10"),
        "options": {"expire_seconds": 6 * 3600},
    },
    "forget_answers": {
        "task": "accounts.forget_answers",
        "schedule": timedelta(hours=1),
        "options": {"expire_seconds": 3600},
    },
    "retention": {
        "task": "campaigns.retention",
        "schedule": timedelta(hours=1),
        "options": {"expire_seconds": 3600},
    },
}

# --- metrics ----------------------------------------------------------------------------------

# Who may read /metrics: whoever shows the token, and whoever comes from these networks.
METRICS_TOKEN = env.read("METRICS_TOKEN", read.long_secret, default="")
_LOOPBACK: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
METRICS_NETWORKS = env.read("METRICS_NETWORKS", read.networks, default=_LOOPBACK)
PROMETHEUS_LATENCY_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0, float("inf"))

# --- log --------------------------------------------------------------------------------------

# Lines for people, or for programs.
LOG_FORMAT = env.read("LOG_FORMAT", read.log_format, default="console")
SENTRY_DSN = env.read("SENTRY_DSN", read.sentry_dsn, default="")
OTEL_EXPORTER_OTLP_ENDPOINT = env.read(
    "OTEL_EXPORTER_OTLP_ENDPOINT", read.otlp_endpoint, default=""
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "config.logs.formatter", "kind": LOG_FORMAT}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "django": {"handlers": ["console"], "level": "WARNING", "propagate": False},
        # Not each page that is not there; what failed, with its traceback.
        "django.request": {"level": "ERROR"},
    },
}

# --- admin ------------------------------------------------------------------------------------

UNFOLD = {
    "SITE_TITLE": "Godwit",
    "SITE_HEADER": "Godwit",
    "SITE_URL": "/",
    "SITE_ICON": "config.console.logo",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "config.console.logo"}],
    "STYLES": ["config.console.states_css", "config.console.admin_css"],
    "SIDEBAR": {"navigation": "config.console.navigation"},
    "COLORS": {
        # The site's accent (config/static/godwit/site.css) in unfold's steps.
        "primary": {
            "50": "#eef8fa",
            "100": "#d6edf2",
            "200": "#aedce6",
            "300": "#7cc6d6",
            "400": "#52b5ca",
            "500": "#2a9db5",
            "600": "#0b6477",
            "700": "#0a5566",
            "800": "#0b4755",
            "900": "#0c3b47",
            "950": "#06252e",
        },
    },
}

# --- what was wrong in the environment ----------------------------------------------------------

ENV_PROBLEMS = env.problems
