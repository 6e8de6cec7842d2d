from django.apps import AppConfig


class LiveConfig(AppConfig):
    name = "live"

    def ready(self) -> None:
        from core import push  # noqa: PLC0415  models are not loaded when this module is
        from live import relay  # noqa: PLC0415  models are not loaded when this module is

        push.register("config", relay.relay_config)
        push.register("revoke", relay.relay_revocation)
        for kind in ("suspend", "stream", "client"):
            push.register(kind, relay.relay_standing)
