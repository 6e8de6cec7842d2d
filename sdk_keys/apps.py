from django.apps import AppConfig


class SdkKeysConfig(AppConfig):
    name = "sdk_keys"
