"""Django's settings. In: environment variables. Refused at start: what the readers in `env` do not accept."""

from __future__ import annotations

import base64
import binascii
from datetime import timedelta
from urllib.parse import urlsplit

from alertsite.settings.celery import *  # noqa: F403 (Django reads one module)
from alertsite.settings.database import postgres_from_url
from alertsite.settings.env import Environment, InvalidSetting, fault_of_secret, process_variables
from alertsite.settings.limits import *  # noqa: F403 (Django reads one module)
from alertsite.settings.limits import THROTTLE_RATES
from alertsite.settings.logs import *  # noqa: F403 (Django reads one module)

env = Environment(process_variables())


def read_encryption_keys() -> list[str]:
    """Fernet keys, newest first: the first encrypts, all decrypt, so that a key can be rotated out."""
    accepts = "a comma-separated list of Fernet keys (32 random bytes in URL-safe base64), newest first"
    keys = [key.strip() for key in env.text_or_file("FIELD_ENCRYPTION_KEYS", accepts=accepts).split(",")]
    for position, key in enumerate(keys, start=1):
        try:
            length = len(base64.urlsafe_b64decode(key))
        except (binascii.Error, ValueError):
            length = 0
        fault = fault_of_secret(key) or ("" if length == 32 else f"{length} decoded bytes")
        if fault:
            raise InvalidSetting("FIELD_ENCRYPTION_KEYS", f"wrong at key {position} ({fault})", accepts)
    return keys


SECRET_KEY = env.secret("SECRET_KEY")
FIELD_ENCRYPTION_KEYS = read_encryption_keys()

PUBLIC_URL = env.url("PUBLIC_URL", "http://127.0.0.1:8000", schemes=("http", "https")).rstrip("/")
ALLOWED_HOSTS = env.words(
    "ALLOWED_HOSTS", [urlsplit(PUBLIC_URL).hostname or "127.0.0.1", "localhost", "127.0.0.1"]
)
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
DEBUG = False

_over_tls = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SECURE = _over_tls
CSRF_COOKIE_SECURE = _over_tls
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _over_tls else None
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_filters",
    "django_celery_beat",
    "alertsite.tenancy",
    "alertsite.audit",
    "alertsite.web",
    "alertsite.runtime",
    "cloud",
    "ml",  # before rules, whose command `bench` it extends
    "rules",
    "healing",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "alertsite.web.middleware.AdminScope",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "alertsite.urls"
ASGI_APPLICATION = "alertsite.asgi.application"
WEB_THREADS = env.integer("WEB_THREADS", 12, minimum=1, maximum=1000)
WSGI_APPLICATION = "alertsite.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {
    "default": postgres_from_url(env.secret_url("DATABASE_URL", schemes=("postgresql", "postgres"))),
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,  # noqa: F405 (settings.celery)
        "KEY_PREFIX": "cache",
    },
}

AUTH_USER_MODEL = "tenancy.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
FORMAT_MODULE_PATH = "alertsite.settings.formats"  # times to the second

STATIC_URL = "/static/"
# Files are served from where the packages keep them: no collecting step before the first start.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "alertsite.web.authentication.JwtAuthentication",
        "alertsite.web.authentication.ApiKeyAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["alertsite.web.parsers.EncodableJSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "alertsite.web.pagination.CursorPages",
    "DEFAULT_THROTTLE_CLASSES": ["alertsite.web.throttling.CredentialThrottle"],
    "DEFAULT_THROTTLE_RATES": THROTTLE_RATES,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "alertsite.web.problems.problem_response",
}

SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=15),
    "REFRESH_TOKEN_LIFETIME": timedelta(hours=12),
    "ALGORITHM": "HS256",
    "SIGNING_KEY": SECRET_KEY,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "alertsite",
    "DESCRIPTION": "Metrics in, rules evaluated on workers, every alert delivered and explained.",
    "VERSION": "0.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

UNFOLD = {"SITE_TITLE": "alertsite", "SITE_HEADER": "alertsite"}

# A webhook is a request made from inside: private addresses only where the operator says so.
DEADMAN_URL = env.text("DEADMAN_URL", "")
ALLOW_PRIVATE_WEBHOOKS = env.flag("ALLOW_PRIVATE_WEBHOOKS", default=False)

# Adapters of the providers of infrastructure; one whose SDK is not installed is left out.
CLOUD_ADAPTERS = env.words(
    "CLOUD_ADAPTERS",
    [
        "cloud.adapters.aws.adapter.AwsAdapter",
        "cloud.adapters.azure.adapter.AzureAdapter",
        "cloud.adapters.docker.adapter.DockerAdapter",
        "cloud.adapters.gcp.adapter.GcpAdapter",
        "cloud.adapters.host.adapter.HostAdapter",
        "cloud.adapters.http.adapter.HttpAdapter",
        "cloud.adapters.kubernetes.adapter.KubernetesAdapter",
    ],
)
CLOUD_ALLOW_PRIVATE = env.flag("CLOUD_ALLOW_PRIVATE", default=False)
CLOUD_ALLOW_OWN_IDENTITY = env.flag("CLOUD_ALLOW_OWN_IDENTITY", default=False)

# The tenant that receives the metrics of the machine an ingest worker runs on. Empty: none are collected.
HOST_METRICS_TENANT = env.text("HOST_METRICS_TENANT", "")
BACKUP_DIR = env.text("BACKUP_DIR", "")

# Artefacts of models: files below this directory, which all workers share; empty: in the database.
ML_MODEL_PATH = env.text("ML_MODEL_PATH", "")
# Who makes the model groups that conditions of rules ask for; rules know no models.
ANOMALY_MODEL_GROUPS = "ml.services.conditions.ensure_group"
ANOMALY_PREVIEW = "ml.services.conditions.preview_condition"
ANOMALY_GROUP_NAMES = "ml.services.conditions.group_names"
ANOMALIES_SEEN = "ml.services.noting.anomalies_seen"
ML_ENABLE_GPU = env.flag("ML_ENABLE_GPU", default=False)

EMAIL_HOST = env.text("SMTP_HOST", "localhost")
EMAIL_PORT = env.integer("SMTP_PORT", 25, minimum=1, maximum=65535)
EMAIL_HOST_USER = env.text("SMTP_USER", "")
EMAIL_HOST_PASSWORD = env.text_or_file("SMTP_PASSWORD", "")
EMAIL_USE_TLS = env.flag("SMTP_STARTTLS", default=False)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.text("SMTP_SENDER", "alertsite@localhost")
