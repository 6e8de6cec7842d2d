"""What do the demo's organizations hold? Plain tables; hours count from the moment of seeding."""

from __future__ import annotations

from dataclasses import dataclass

LONDON, NEW_YORK, TORONTO = "Europe/London", "America/New_York", "America/Toronto"
STOCKHOLM, PARIS, MADRID = "Europe/Stockholm", "Europe/Paris", "Europe/Madrid"
KOLKATA, AUCKLAND, SEOUL, TOKYO = "Asia/Kolkata", "Pacific/Auckland", "Asia/Seoul", "Asia/Tokyo"


@dataclass(frozen=True, kw_only=True)
class Fixture:
    """One stream: `starts` hours from now (None: not decided), and the state it ends up in."""

    slug: str
    title: str
    starts: float | None
    state: str
    zone: str
    tags: tuple[str, ...]
    lasts: float = 2.0
    playback: bool = True


@dataclass(frozen=True, kw_only=True)
class App:
    """One client with its platform's identifier and its key: days until it expires, None for never."""

    slug: str
    name: str
    platform: str
    bundle_ids: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    secret: bool = False
    key_days: int | None = None


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One change of a setting `hours` ago; None clears. `by` is a person's role."""

    hours: float
    key: str
    value: object
    stream: str = ""
    client: str = ""
    locked: bool | None = None
    by: str = "operator"
    comment: str = ""


@dataclass(frozen=True, kw_only=True)
class Person:
    email: str
    name: str
    role: str


@dataclass(frozen=True, kw_only=True)
class Showcase:
    slug: str
    name: str
    live_stream: str
    people: tuple[Person, ...]
    invited: tuple[Person, ...]
    apps: tuple[App, ...]
    fixtures: tuple[Fixture, ...]
    edits: tuple[Edit, ...]


def _fixture(
    slug: str, title: str, starts: float | None, state: str, zone: str, tags: str, **more: object
) -> Fixture:
    words = tuple(tags.split())
    return Fixture(
        slug=slug,
        title=title,
        starts=starts,
        state=state,
        zone=zone,
        tags=words,
        **more,  # type: ignore[arg-type]  # lasts and playback only, two lines above
    )


NORTHWIND_FIXTURES = (
    # On air
    _fixture("harbour-city-northgate", "Harbour City – Northgate United", -0.8, "live", LONDON, "football premier matchday-12"),
    _fixture("lakeside-ironworks", "Lakeside Comets – Ironworks", -1.4, "live", TORONTO, "hockey regular-season", lasts=3.0),
    _fixture("riviera-open-semi", "Riviera Open: Lefèvre – Okafor", -2.1, "live", PARIS, "tennis semi-final", lasts=4.0),
    # Today and the coming days
    _fixture("westbrook-millfield", "Westbrook – Millfield Rovers", 1.5, "scheduled", LONDON, "football premier matchday-12"),
    _fixture("saltmarsh-eastvale", "Saltmarsh Athletic – Eastvale", 4, "scheduled", LONDON, "football premier matchday-12", playback=False),
    _fixture("capital-tigers-metro", "Capital Tigers – Metro Kings", 7, "scheduled", NEW_YORK, "basketball conference-east", lasts=2.5),
    _fixture("pioneers-bay-city", "Pioneers – Bay City Waves", 9.5, "scheduled", "America/Los_Angeles", "basketball conference-west", lasts=2.5),
    _fixture("riviera-open-final", "Riviera Open: final", 22, "scheduled", PARIS, "tennis final", lasts=4.0),
    _fixture("frost-falcons-vikings", "Frost Falcons – Nordhamn Vikings", 20, "scheduled", STOCKHOLM, "hockey regular-season", lasts=3.0),
    _fixture("monsoon-xi-coastal", "Monsoon XI – Coastal Chargers, T20", 26, "scheduled", KOLKATA, "cricket t20", lasts=3.5),
    _fixture("harbour-lions-kea", "Harbour Lions – Kea Park", 30, "scheduled", AUCKLAND, "rugby super-cup"),
    _fixture("silver-dragons-nexus", "Silver Dragons – Nexus, best of five", 33, "scheduled", SEOUL, "esports group-stage", lasts=5.0),
    _fixture("real-almena-costa", "Real Almena – Costa Azul", 44, "scheduled", MADRID, "football cup quarter-final"),
    _fixture("kanto-blossoms-osaka", "Kanto Blossoms – Osaka Rise", 49, "scheduled", TOKYO, "basketball women", lasts=2.5),
    _fixture("northgate-under-21", "Northgate U21 – Westbrook U21", 52, "scheduled", LONDON, "football under-21", playback=False),
    _fixture("alpine-classic-stage-4", "Alpine Classic, stage 4", 67, "scheduled", PARIS, "cycling stage", lasts=5.5),
    _fixture("ironworks-frost-falcons", "Ironworks – Frost Falcons", 73, "scheduled", TORONTO, "hockey regular-season", lasts=3.0),
    _fixture("eastvale-harbour-city", "Eastvale – Harbour City", 96, "scheduled", LONDON, "football premier matchday-13"),
    _fixture("millfield-saltmarsh", "Millfield Rovers – Saltmarsh Athletic", 98, "scheduled", LONDON, "football premier matchday-13"),
    _fixture("super-cup-semi-2", "Super Cup: second semi-final", 121, "scheduled", AUCKLAND, "rugby super-cup semi-final", playback=False),
    # Not yet announced
    _fixture("super-cup-final", "Super Cup: final", 290, "draft", AUCKLAND, "rugby super-cup final", playback=False),
    _fixture("premier-matchday-14-show", "Matchday 14 preview show", None, "draft", LONDON, "football studio", playback=False),
    _fixture("all-star-weekend", "All-star weekend", 480, "draft", NEW_YORK, "basketball all-star", playback=False),
    _fixture("charity-legends", "Legends charity match", 18, "draft", LONDON, "football charity", playback=False),
    # Over
    _fixture("harbour-city-westbrook", "Harbour City – Westbrook", -27, "ended", LONDON, "football premier matchday-11"),
    _fixture("northgate-saltmarsh", "Northgate United – Saltmarsh Athletic", -29, "ended", LONDON, "football premier matchday-11"),
    _fixture("metro-kings-pioneers", "Metro Kings – Pioneers", -34, "ended", NEW_YORK, "basketball", lasts=2.5),
    _fixture("riviera-open-quarter-1", "Riviera Open: first quarter-final", -46, "ended", PARIS, "tennis quarter-final", lasts=3.5),
    _fixture("riviera-open-quarter-2", "Riviera Open: second quarter-final", -42, "ended", PARIS, "tennis quarter-final", lasts=3.5),
    _fixture("nordhamn-lakeside", "Nordhamn Vikings – Lakeside Comets", -51, "ended", STOCKHOLM, "hockey", lasts=3.0),
    _fixture("coastal-deccan", "Coastal Chargers – Deccan Stars, T20", -70, "ended", KOLKATA, "cricket t20", lasts=3.5),
    _fixture("super-cup-semi-1", "Super Cup: first semi-final", -75, "ended", AUCKLAND, "rugby super-cup semi-final"),
    _fixture("alpine-classic-stage-3", "Alpine Classic, stage 3", -79, "ended", PARIS, "cycling stage", lasts=5.5),
    _fixture("nexus-lunar-five", "Nexus – Lunar Five, best of three", -86, "ended", SEOUL, "esports group-stage", lasts=3.0),
    # Out of the lists
    _fixture("alpine-classic-stage-2", "Alpine Classic, stage 2", -103, "archived", PARIS, "cycling stage", lasts=5.5),
    _fixture("alpine-classic-stage-1", "Alpine Classic, stage 1", -127, "archived", PARIS, "cycling stage", lasts=5.5),
    _fixture("pre-season-cup-final", "Pre-season cup: final", -190, "archived", LONDON, "football pre-season"),
    _fixture("pre-season-cup-semi-1", "Pre-season cup: first semi-final", -240, "archived", LONDON, "football pre-season"),
    _fixture("pre-season-cup-semi-2", "Pre-season cup: second semi-final", -238, "archived", LONDON, "football pre-season"),
    _fixture("rights-holder-rehearsal", "Rehearsal for rights holders", -260, "archived", LONDON, "rehearsal"),
)  # fmt: skip

NORTHWIND = Showcase(
    slug="northwind-sports",
    name="Northwind Sports",
    live_stream="harbour-city-northgate",
    people=(
        Person(email="owner@northwind.example", name="Nora Lindqvist", role="owner"),
        Person(email="admin@northwind.example", name="Adam Osei", role="admin"),
        Person(email="operator@northwind.example", name="Olga Brandt", role="operator"),
        Person(email="moderator@northwind.example", name="Mo Farouk", role="moderator"),
        Person(email="analyst@northwind.example", name="Ana Ribeiro", role="analyst"),
        Person(email="viewer@northwind.example", name="Vic Tanaka", role="viewer"),
        Person(email="sam@partners.example", name="Sam Keller", role="operator"),
    ),
    invited=(Person(email="lena@northwind.example", name="", role="analyst"),),
    apps=(
        App(slug="northwind-web", name="Northwind Web", platform="web"),
        App(slug="northwind-ios", name="Northwind iOS", platform="ios", bundle_ids=("example.northwind.app",)),
        App(slug="northwind-apple-tv", name="Northwind Apple TV", platform="tvos", bundle_ids=("example.northwind.tv",)),
        App(slug="northwind-android", name="Northwind Android", platform="android", bundle_ids=("example.northwind.app",)),
        App(slug="northwind-android-tv", name="Northwind Android TV", platform="android_tv", bundle_ids=("example.northwind.tv",)),
        App(slug="northwind-fire-tv", name="Northwind Fire TV", platform="fire_tv", bundle_ids=("example.northwind.firetv",)),
        App(slug="northwind-react-native", name="Northwind Fan Club", platform="react_native", bundle_ids=("example.northwind.fanclub",)),
        App(slug="northwind-roku", name="Northwind Roku", platform="roku", bundle_ids=("151908",)),
        App(slug="northwind-tizen", name="Northwind Samsung TV", platform="tizen", bundle_ids=("NwSports01.Player",)),
        App(slug="northwind-webos", name="Northwind LG TV", platform="webos", bundle_ids=("example.northwind.webos",)),
        App(slug="northwind-playstation", name="Northwind PlayStation", platform="playstation", bundle_ids=("PPSA01234_00",)),
        App(slug="northwind-xbox", name="Northwind Xbox", platform="xbox", bundle_ids=("Northwind.Player_8wekyb3d8bbwe",)),
        App(slug="stadium-screens", name="Stadium screens", platform="web", secret=True, key_days=9),
    ),
    fixtures=NORTHWIND_FIXTURES,
    edits=(
        Edit(hours=200, key="branding.primary_color", value="#0A7A5C", by="admin", comment="New brand colours"),
        Edit(hours=200, key="branding.accent_color", value="#F2B705", by="admin", comment="New brand colours"),
        Edit(hours=170, key="overlays.betting.enabled", value=False, locked=True, by="owner", comment="No betting until the licence is here"),
        Edit(hours=168, key="promotions.frequency_cap_per_hour", value=4, by="admin"),
        Edit(hours=120, key="chat.slow_mode_s", value=3),
        Edit(hours=100, key="moderation.automod_level", value=3, by="admin"),
        Edit(hours=98, key="sdk.min_version", value="2.4.0", client="northwind-ios", by="admin", comment="2.3 drops frames on old phones"),
        Edit(hours=97, key="ui.layout.mode", value="l-bar", client="northwind-apple-tv"),
        Edit(hours=97, key="ui.layout.mode", value="l-bar", client="northwind-android-tv"),
        Edit(hours=96, key="overlays.public_chat.enabled", value=False, client="northwind-roku", comment="No keyboard on the remote"),
        Edit(hours=72, key="overlays.highlights.enabled", value=True),
        Edit(hours=50, key="overlays.games.enabled", value=False, client="stadium-screens", comment="Screens cannot be touched"),
        Edit(hours=26.6, key="chat.slow_mode_s", value=10, stream="harbour-city-westbrook", comment="Derby"),
        Edit(hours=5, key="overlays.watch_party.enabled", value=True, stream="harbour-city-northgate"),
        Edit(hours=3, key="branding.primary_color", value="#14532D", stream="riviera-open-semi", comment="Tournament green"),
        Edit(hours=2, key="overlays.menu_order", value=["statistics", "games", "public_chat"], stream="harbour-city-northgate"),
        Edit(hours=0.7, key="chat.slow_mode_s", value=15, stream="harbour-city-northgate", comment="Kick-off rush"),
        Edit(hours=0.6, key="promotions.enabled", value=False, stream="harbour-city-northgate", client="northwind-playstation", comment="Frame drops in the promo overlay"),
        Edit(hours=0.4, key="chat.slow_mode_s", value=5, stream="harbour-city-northgate", comment="Calmer now"),
    ),
)  # fmt: skip

AURORA = Showcase(
    slug="aurora-media",
    name="Aurora Media",
    live_stream="aurora-sessions-12",
    people=(
        Person(email="owner@aurora.example", name="Iris Aalto", role="owner"),
        Person(email="operator@aurora.example", name="Eero Salo", role="operator"),
        Person(email="sam@partners.example", name="Sam Keller", role="analyst"),
    ),
    invited=(),
    apps=(
        App(slug="aurora-web", name="Aurora Web", platform="web"),
        App(slug="aurora-ios", name="Aurora iOS", platform="ios", bundle_ids=("example.aurora.player",)),
        App(slug="aurora-android", name="Aurora Android", platform="android", bundle_ids=("example.aurora.player",)),
    ),
    fixtures=(
        _fixture("aurora-sessions-12", "Aurora Sessions 12: Midwinter", -0.5, "live", "Europe/Helsinki", "music concert", lasts=3.0),
        _fixture("quiz-night-31", "Quiz night 31", 5, "scheduled", "Europe/Helsinki", "quiz"),
        _fixture("cooking-live-8", "Cooking live: eight hands", 27, "scheduled", "Europe/Helsinki", "food"),
        _fixture("northern-lights-cam", "Northern lights, all night", 31, "scheduled", "Europe/Oslo", "nature", lasts=8.0),
        _fixture("aurora-sessions-13", "Aurora Sessions 13", 340, "draft", "Europe/Helsinki", "music concert", playback=False),
        _fixture("quiz-night-30", "Quiz night 30", -163, "ended", "Europe/Helsinki", "quiz"),
        _fixture("aurora-sessions-11", "Aurora Sessions 11: Equinox", -140, "ended", "Europe/Helsinki", "music concert", lasts=3.0),
        _fixture("launch-party", "Launch party", -250, "archived", "Europe/Helsinki", "special"),
    ),
    edits=(
        Edit(hours=150, key="branding.primary_color", value="#5B3DF5", by="owner"),
        Edit(hours=149, key="overlays.statistics.enabled", value=False, by="owner"),
        Edit(hours=30, key="overlays.games.enabled", value=False, stream="aurora-sessions-12", comment="It is a concert"),
    ),
)  # fmt: skip

SHOWCASES = (NORTHWIND, AURORA)
