from django.apps import AppConfig
from django.core.checks import register

from core.checks import no_app_in_both_lists


class CoreConfig(AppConfig):
    name = "core"

    def ready(self) -> None:
        register(no_app_in_both_lists)
