"""What identifies an application on each platform? One row per platform."""

from __future__ import annotations

import re
from dataclasses import dataclass

from streams.models import Platform


@dataclass(frozen=True, kw_only=True)
class PlatformRules:
    """`id_pattern` is None where the platform knows origins instead of app ids."""

    label: str
    icon: str
    id_label: str = "app id"
    id_example: str = ""
    id_pattern: re.Pattern[str] | None = None
    has_origins: bool = False


_APPLE = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_ANDROID = re.compile(r"[A-Za-z]\w*(?:\.[A-Za-z]\w*)+", re.ASCII)
_EITHER = re.compile(r"[A-Za-z][\w-]*(?:\.[\w-]+)+", re.ASCII)


def _apple(label: str, icon: str) -> PlatformRules:
    return PlatformRules(
        label=label,
        icon=icon,
        id_label="bundle id",
        id_example="com.example.app",
        id_pattern=_APPLE,
    )


def _android(label: str, icon: str) -> PlatformRules:
    return PlatformRules(
        label=label,
        icon=icon,
        id_label="package name",
        id_example="com.example.app",
        id_pattern=_ANDROID,
    )


PLATFORMS: dict[Platform, PlatformRules] = {
    Platform.IOS: _apple("iOS", "brand-apple"),
    Platform.TVOS: _apple("tvOS", "device-tv"),
    Platform.ANDROID: _android("Android", "brand-android"),
    Platform.ANDROID_TV: _android("Android TV", "device-tv"),
    Platform.FIRE_TV: _android("Fire TV", "device-tv"),
    Platform.WEB: PlatformRules(label="Web", icon="world", id_label="origin", has_origins=True),
    Platform.REACT_NATIVE: PlatformRules(
        label="React Native",
        icon="device-mobile",
        id_label="bundle id or package name",
        id_example="com.example.app",
        id_pattern=_EITHER,
    ),
    Platform.ROKU: PlatformRules(
        label="Roku",
        icon="device-tv",
        id_label="channel id",
        id_example="151908",
        id_pattern=re.compile(r"dev|[0-9]{1,10}"),
    ),
    Platform.TIZEN: PlatformRules(
        label="Tizen",
        icon="device-tv",
        id_label="application id",
        id_example="AbCdE12345.Player",
        id_pattern=re.compile(r"[A-Za-z0-9]{10}\.[A-Za-z0-9_-]+"),
    ),
    Platform.WEBOS: PlatformRules(
        label="webOS",
        icon="device-tv",
        id_label="app id",
        id_example="com.example.app",
        id_pattern=re.compile(r"[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)+"),
    ),
    Platform.PLAYSTATION: PlatformRules(
        label="PlayStation",
        icon="device-gamepad-2",
        id_label="title id",
        id_example="PPSA01234_00",
        id_pattern=re.compile(r"[A-Z]{4}[0-9]{5}(?:_[0-9]{2})?"),
    ),
    Platform.XBOX: PlatformRules(
        label="Xbox",
        icon="device-gamepad-2",
        id_label="package family name",
        id_example="Example.Player_8wekyb3d8bbwe",
        id_pattern=re.compile(r"[A-Za-z0-9.-]{3,50}_[a-z0-9]{13}"),
    ),
}
assert set(PLATFORMS) == set(Platform), "every platform has its rules"
