"""Every setting of the Django project: read once, refused when wrong."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from celery.schedules import schedule
from django.core.exceptions import ImproperlyConfigured

from config import environment

BASE_DIR = Path(__file__).resolve().parent.parent
VAR = Path(environment.text("GANTRY_VAR", str(BASE_DIR / "var"))).resolve()
PORT = environment.number("GANTRY_PORT", default=8000, low=1, high=65535)
DEBUG = environment.flag("GANTRY_DEBUG", default=False)
VERSION = "0.1.0"

# Where nothing listens: commands that need no server (check, makemigrations) still load.
NOWHERE = {
    "database_url": "postgres://gantry@127.0.0.1:1/gantry",
    "redis_url": "redis://127.0.0.1:1/0",
    "clickhouse_url": "clickhouse://gantry@127.0.0.1:1/gantry",
    "clickhouse_reader_url": "clickhouse://gantry_reader@127.0.0.1:1/gantry",
}


def _written(name: str) -> dict[str, Any]:
    """What the supervisor wrote under var/, empty when it has not run here."""
    try:
        content = json.loads((VAR / name).read_text())
    except FileNotFoundError:
        return {}
    if not isinstance(content, dict):
        raise ImproperlyConfigured(f"{VAR / name} is damaged: remove it and start again.")
    return content


# A command in a second shell learns from the supervisor's file what `make run` was started with.
_endpoints = NOWHERE | _written("endpoints.json")
DEMO = environment.flag("GANTRY_DEMO", default=bool(_endpoints.get("demo")))
BASE_URL = environment.text(
    "GANTRY_BASE_URL", _endpoints.get("base_url") or f"http://127.0.0.1:{PORT}"
).rstrip("/")
HTTPS = BASE_URL.startswith("https://")
DATABASE_URL = environment.text("DATABASE_URL", _endpoints["database_url"])
REDIS_URL = environment.checked_url(
    "REDIS_URL",
    environment.text("REDIS_URL", _endpoints["redis_url"]),
    {"redis", "rediss", "unix"},
)
CLICKHOUSE_URL = environment.checked_url(
    "CLICKHOUSE_URL",
    environment.text("CLICKHOUSE_URL", _endpoints["clickhouse_url"]),
    {"clickhouse", "clickhouses"},
)
CLICKHOUSE_READER_URL = environment.checked_url(
    "CLICKHOUSE_READER_URL",
    environment.text("CLICKHOUSE_READER_URL")
    or (CLICKHOUSE_URL if environment.text("CLICKHOUSE_URL") else "")
    or _endpoints["clickhouse_reader_url"],
    {"clickhouse", "clickhouses"},
)
# The fallback serves only commands that answer no request, such as check and makemigrations.
SECRET_KEY = (
    environment.text("GANTRY_SECRET_KEY")
    or _written("secrets.json").get("django_secret_key", "")
    or "no-server-was-started-here-so-this-key-signs-nothing-at-all"
)

ALLOWED_HOSTS = environment.items("GANTRY_HOSTS", ["127.0.0.1", "localhost", "[::1]", "testserver"])
CSRF_TRUSTED_ORIGINS = [BASE_URL] if HTTPS else []

SHARED_APPS = [
    "django_tenants",
    "tenants",
    "sdk_keys",
    "analytics",
    "live",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "allauth",
    "allauth.account",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]
TENANT_APPS = ["core", "streams", "settings_hierarchy"]
INSTALLED_APPS = [*SHARED_APPS, *TENANT_APPS]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "core.security.SecurityHeadersMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "core.tenancy.OrganizationMiddleware",
    "core.errors.DomainErrorMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
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
                "core.tenancy.organization_context_processor",
            ],
        },
    },
]

DATABASES = {
    "default": {
        **environment.database(DATABASE_URL),
        "ENGINE": "django_tenants.postgresql_backend",
        # Every ASGI request runs in a thread of its own: a kept connection per thread exhausts
        # the server, so connections go back to the pool at once.
        "CONN_MAX_AGE": 0,
        "OPTIONS": {
            "pool": {"min_size": 1, "max_size": 24, "timeout": 2},
            "connect_timeout": 3,
        },
        "TEST": {"NAME": "gantry_test"},
    }
}
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TENANT_MODEL = "tenants.Organization"
TENANT_DOMAIN_MODEL = "tenants.Domain"
AUTO_DROP_SCHEMA = False

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "gantry:_:cache",
        "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 2},
    }
}
# The pub/sub layer: after a Redis restart the core layer silently never delivers again.
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {
            "hosts": [
                {"address": REDIS_URL, "socket_connect_timeout": 1, "socket_keepalive": True}
            ],
            "prefix": "gantry:_:layer",
        },
    }
}
CELERY = {
    "broker_url": environment.text("CELERY_BROKER_URL", REDIS_URL),
    "task_ignore_result": True,
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "task_time_limit": 300,
    "accept_content": ["json"],
    "task_serializer": "json",
    "task_default_queue": "gantry",
    "broker_transport_options": {"global_keyprefix": "gantry:_:celery:", "visibility_timeout": 600},
    "broker_connection_retry_on_startup": True,
    "worker_hijack_root_logger": False,
    "timezone": "UTC",
    "beat_schedule_filename": str(VAR / "beat-schedule"),
    "beat_schedule": {
        "sweep-outbox": {"task": "core.sweep_outbox", "schedule": schedule(timedelta(seconds=5))},
        "provision-waiting": {
            "task": "tenants.provision_waiting",
            "schedule": schedule(timedelta(seconds=15)),
        },
        "forget-idempotent-answers": {
            "task": "core.forget_idempotent_answers",
            "schedule": schedule(timedelta(hours=1)),
        },
    },
}

AUTH_USER_MODEL = "tenants.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/accounts/login/"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_ADAPTER = "tenants.accounts.InvitationOnlyAdapter"
ACCOUNT_RATE_LIMITS = {
    "login": "30/m/ip",
    "login_failed": "10/m/ip,5/5m/key",
    "reset_password": "20/m/ip,5/m/key",
    "change_password": "5/m/user",
}
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
CSRF_FAILURE_VIEW = "core.error_pages.csrf_failure"
SESSION_COOKIE_NAME = "__Host-gantry-session" if HTTPS else "gantry-session"
CSRF_COOKIE_NAME = "__Host-gantry-csrf" if HTTPS else "gantry-csrf"
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_SSL_REDIRECT = False  # TLS ends at the load balancer
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

EMAIL_BACKEND = environment.text(
    "GANTRY_EMAIL_BACKEND", "django.core.mail.backends.filebased.EmailBackend"
)
EMAIL_FILE_PATH = str(VAR / "mail")
EMAIL_HOST = environment.text("GANTRY_EMAIL_HOST", "localhost")
EMAIL_PORT = environment.number("GANTRY_EMAIL_PORT", default=25, low=1, high=65535)
EMAIL_TIMEOUT = 5
DEFAULT_FROM_EMAIL = environment.text("GANTRY_EMAIL_FROM", "Gantry <gantry@localhost>")

LANGUAGE_CODE = "en-gb"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static", ("sdks", BASE_DIR / "sdks" / "js")]
STATIC_ROOT = VAR / "static"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["tenants.authentication.ApiTokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["core.access.OrganizationPermission"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["core.strict_json.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "core.openapi.GantrySchema",
    "DEFAULT_PAGINATION_CLASS": "core.pagination.PagePagination",
    "PAGE_SIZE": 50,
    "EXCEPTION_HANDLER": "core.api.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Gantry management API",
    "VERSION": VERSION,
    "DESCRIPTION": "Streams, clients, keys and settings of one organization. "
    "Every error is application/problem+json (RFC 9457).",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1/organizations/{organization}",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "RoleEnum": "tenants.models.Role",
        "StreamStateEnum": "streams.models.Stream.State",
        "PlatformEnum": "streams.models.Platform",
        "OrganizationStatusEnum": "tenants.models.Organization.Status",
        "SdkKeyKindEnum": "sdk_keys.models.SdkKey.Kind",
        "ChangeKindEnum": "settings_hierarchy.models.Change.Kind",
        "LevelEnum": "settings_hierarchy.serializers.ALL_LEVELS",
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": environment.text("GANTRY_LOG_LEVEL", "INFO")},
    "loggers": {"httpx": {"level": "WARNING"}, "clickhouse_driver": {"level": "WARNING"}},
}
