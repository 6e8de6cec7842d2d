from django.apps import AppConfig


class SettingsHierarchyConfig(AppConfig):
    name = "settings_hierarchy"
    verbose_name = "Settings"

    def ready(self) -> None:
        from settings_hierarchy import checks  # noqa: F401, PLC0415  registers when apps are loaded
