from django.apps import AppConfig


class SettingsHierarchyConfig(AppConfig):
    name = "settings_hierarchy"
