"""Django settings. Values that differ between installations come from `config`."""

from urllib.parse import unquote, urlsplit

from embedding_project import VERSION
from embedding_project.admin_theme import UNFOLD as UNFOLD
from embedding_project.config import LOOPBACK_HOSTS, load_config
from embedding_project.observing.log_lines import logging_settings

_config = load_config()
_database = urlsplit(_config.database_url)

SECRET_KEY = _config.secret_key
DEBUG = False
ALLOWED_HOSTS = [*LOOPBACK_HOSTS, "[::1]", *_config.allowed_hosts]
ROOT_URLCONF = "embedding_project.urls"
WSGI_APPLICATION = "embedding_project.wsgi.application"
APPEND_SLASH = False
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
FORMAT_MODULE_PATH = "embedding_project.formats"

INSTALLED_APPS = [
    "embeddings_app",
    "embeddings_app.console",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "embeddings_app.api.middleware.ApiGuard",
    "embeddings_app.api.compression.CompressedAnswers",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "embeddings_app.admin.middleware.PagesSession",
    "embeddings_app.admin.middleware.PagesCommon",
    "embeddings_app.admin.middleware.PagesCsrf",
    "embeddings_app.admin.middleware.PagesAuthentication",
    "embeddings_app.admin.middleware.PagesMessages",
    "embeddings_app.admin.middleware.PagesFrames",
    "embeddings_app.admin.middleware.AdminContentPolicy",
    "embeddings_app.admin.missing.FramedMissing",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES = {
    "default": {
        "ENGINE": "embeddings_app.database",
        "NAME": _database.path.lstrip("/"),
        "USER": unquote(_database.username or ""),
        "PASSWORD": unquote(_database.password or ""),
        "HOST": _database.hostname or "",
        "PORT": str(_database.port or 5432),
        # Kept, and shared by the threads of a process: see `embeddings_app.database`.
        "CONN_MAX_AGE": None,
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "OPTIONS": {
            "connect_timeout": 2,
            "tcp_user_timeout": 4000,
            # For what asks for it, `records.sql.prepared_rows`; Django's own cursors never prepare.
            "prepare_threshold": 5,
            # Postgres compiles what it expects to be slow; where it is wrong, that takes seconds on a busy machine.
            "options": "-c statement_timeout=8000 -c lock_timeout=2000 -c idle_in_transaction_session_timeout=5000"
            " -c jit=off",
        },
    }
}

STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True
AUTHENTICATION_BACKENDS = [
    "embeddings_app.admin.login_limit.LoginLimit",
    "embeddings_app.admin.login_limit.Passwords",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}}
]
# Both protections are there, as subclasses that act on pages with sessions. HSTS for subdomains is the operator's
# choice.
SILENCED_SYSTEM_CHECKS = ["security.W002", "security.W003", "security.W005", "security.W021"]
# Where somebody goes who signed in by a link that leads nowhere else on this service.
LOGIN_REDIRECT_URL = "/admin/"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _config.https
SECURE_SSL_REDIRECT = _config.https
# Pages for people are redirected. The API refuses plain HTTP itself: clients turn a redirected POST into a GET, and a
# redirect that works hides that each key goes out readable first.
SECURE_REDIRECT_EXEMPT = [r"^(?!admin/|console/|static/|v1/docs$|v1/openapi\.json$)"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _config.https else None
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if _config.https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _config.https and _config.hsts_subdomains
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["embeddings_app.api.rendering.OrjsonRenderer"],
    "DEFAULT_PARSER_CLASSES": ["embeddings_app.api.parsing.StrictJsonParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "embeddings_app.api.errors.exception_response",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Embedding and semantic search",
    "DESCRIPTION": "Text in, vectors out; documents upserted, searched by meaning and deleted.",
    "VERSION": VERSION,
    "SERVE_INCLUDE_SCHEMA": False,
    "DEFAULT_GENERATOR_CLASS": "embeddings_app.api.schema.generator.ServiceSchema",
    "SWAGGER_UI_DIST": "SIDECAR",
    # No header of a session: the curl that the page shows is copied to others.
    "SWAGGER_UI_SETTINGS": '{"deepLinking": true, "requestInterceptor": (request) => request}',
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

LOGGING = logging_settings(_config)

CELERY_BEAT_TZ_AWARE = True
