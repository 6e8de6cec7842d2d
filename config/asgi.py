"""Everything on one port: the SDK paths go to `live` before Django sees them."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

django_application = get_asgi_application()  # sets Django up, so it comes before the imports

from live.serving import serve  # noqa: E402

application = serve(django_application)
