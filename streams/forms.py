"""What did a person type into a form about streams or clients?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms

from core.errors import DomainError
from streams.local_time import moment_at, wall_at
from streams.models import Platform, Stream
from streams.platforms import PLATFORMS
from streams.queries import ClientFilter, StreamFilter
from streams.validation import (
    MAX_NAME,
    MAX_TITLE,
    MAX_URL,
    ClientFields,
    InvalidFields,
    StreamFields,
    time_zones,
)

MAX_SEARCH = 200
MAX_TAGS_TEXT = 1000
MAX_LINES_TEXT = 12_000
WALL = "%Y-%m-%dT%H:%M"
CLIENT_STATUSES = [
    ("", "Any status"),
    ("enabled", "Enabled"),
    ("disabled", "Disabled"),
    ("archived", "Archived"),
]


class StreamFilterForm(forms.Form):
    """The address of the list of streams; what makes no sense in it is left out."""

    q = forms.CharField(required=False, max_length=MAX_SEARCH)
    state = forms.ChoiceField(required=False, choices=Stream.State.choices)
    tag = forms.CharField(required=False, max_length=40)
    starts_from = forms.DateField(required=False)
    starts_until = forms.DateField(required=False)

    def wanted(self, sort: str) -> StreamFilter:
        self.is_valid()
        asked = self.cleaned_data
        until: date | None = asked.get("starts_until")
        return StreamFilter(
            search=asked.get("q", ""),
            state=asked.get("state", ""),
            tag=asked.get("tag", ""),
            starts_from=_midnight(asked.get("starts_from")),
            starts_until=_midnight(
                until + timedelta(days=1) if until and until < date.max else None
            ),
            sort=sort,
        )


class ClientFilterForm(forms.Form):
    """The address of the list of clients."""

    q = forms.CharField(required=False, max_length=MAX_SEARCH)
    platform = forms.ChoiceField(required=False, choices=Platform.choices)
    status = forms.ChoiceField(required=False, choices=CLIENT_STATUSES)

    def wanted(self) -> ClientFilter:
        self.is_valid()
        asked = self.cleaned_data
        return ClientFilter(
            search=asked.get("q", ""),
            platform=asked.get("platform", ""),
            status=asked.get("status", ""),
        )


class WallClockInput(forms.DateTimeInput):
    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format=WALL)


class WallClockField(forms.DateTimeField):
    """A time as the clocks show it in the zone chosen beside it; stays without a zone."""

    widget = WallClockInput

    def prepare_value(self, value: Any) -> Any:
        return value.strftime(WALL) if isinstance(value, datetime) else value

    def to_python(self, value: Any) -> datetime | None:
        found = super().to_python(value)
        return found.replace(tzinfo=None) if found else None


class StreamForm(forms.Form):
    """A stream as a person writes it; the operation says what is wrong with it."""

    title = forms.CharField(
        max_length=MAX_TITLE, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    slug = forms.CharField(
        required=False,
        max_length=63,
        help_text="Apps connect with it. Left empty, it is made from the title.",
        widget=forms.TextInput(
            attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}
        ),
    )
    time_zone = forms.ChoiceField(
        label="Time zone of the venue", help_text="Start and end are times on its clocks."
    )
    starts_at = WallClockField(label="Start", required=False)
    ends_at = WallClockField(label="End", required=False)
    playback_url = forms.CharField(
        label="Playback address",
        required=False,
        max_length=MAX_URL,
        help_text="HLS or DASH, for previews. Gantry does not carry the video.",
        widget=forms.URLInput(attrs={"placeholder": "https://"}),
    )
    tags = forms.CharField(
        required=False,
        max_length=MAX_TAGS_TEXT,
        help_text="Separated by commas, as in: football, final.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    version = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)

    def __init__(self, *args: Any, stream: Stream | None = None, **kwargs: Any) -> None:
        if stream is not None:
            kwargs["initial"] = stream_initial(stream) | kwargs.get("initial", {})
        super().__init__(*args, **kwargs)
        zone = self.fields["time_zone"]
        assert isinstance(zone, forms.ChoiceField)
        zone.choices = [(name, name.replace("_", " ")) for name in time_zones()]
        if stream is not None and stream.state != Stream.State.DRAFT:
            self.fields["slug"].disabled = True
            self.fields["slug"].help_text = "Fixed: apps connect with it."

    def stream_fields(self) -> StreamFields:
        """Return the fields; raises InvalidFields for a time the clocks skip."""
        given = self.cleaned_data
        tags = [tag.strip() for tag in given["tags"].split(",")]
        return StreamFields(
            title=given["title"],
            slug=given["slug"],
            starts_at=self._moment("starts_at"),
            ends_at=self._moment("ends_at"),
            time_zone=given["time_zone"],
            playback_url=given["playback_url"],
            tags=tuple(tag for tag in tags if tag),
        )

    def _moment(self, name: str) -> datetime | None:
        wall, zone = self.cleaned_data[name], self.cleaned_data["time_zone"]
        if wall is None:
            return None
        if not 1900 < wall.year < 9000:
            raise InvalidFields([(name, "Choose a time between 2000 and 2100.")])
        moment = moment_at(wall, zone)
        if moment is None:
            raise InvalidFields([(name, f"The clocks in {zone} skip this time on that day.")])
        return moment


class TransitionForm(forms.Form):
    comment = forms.CharField(required=False, max_length=500)


class LinesField(forms.CharField):
    """One text a line."""

    widget = forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "class": "mono"})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list | tuple) else value

    def clean(self, value: Any) -> Any:
        return tuple(line.strip() for line in super().clean(value).splitlines() if line.strip())


class ClientForm(forms.Form):
    """A client as a person writes it."""

    name = forms.CharField(
        max_length=MAX_NAME, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    platform = forms.ChoiceField(choices=Platform.choices, help_text="Never changes.")
    slug = forms.CharField(
        max_length=63,
        help_text="Names the client in the API and in sessions. Never changes.",
        widget=forms.TextInput(
            attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}
        ),
    )
    bundle_ids = LinesField(label="App ids", required=False, max_length=MAX_LINES_TEXT)
    origins = LinesField(label="Origins", required=False, max_length=MAX_LINES_TEXT)
    version = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)

    def __init__(self, *args: Any, platform: str = "", existing: bool = False, **kwargs: Any):
        super().__init__(*args, **kwargs)
        if existing:
            del self.fields["platform"], self.fields["slug"]
        self._fit(PLATFORMS[Platform(platform if platform in Platform.values else "web")])

    def _fit(self, rules: Any) -> None:
        """Leave the one field of identifiers that this platform has, named as it names them."""
        unused = "bundle_ids" if rules.has_origins else "origins"
        del self.fields[unused]
        if rules.has_origins:
            self.fields["origins"].help_text = (
                "One a line, as in https://play.example.com. Browsers from elsewhere are refused; "
                "left empty, every origin may connect."
            )
            return
        field = self.fields["bundle_ids"]
        field.label = rules.id_label[:1].upper() + rules.id_label[1:] + "s"
        field.help_text = f"One a line, as in {rules.id_example}."

    def client_fields(self) -> ClientFields:
        return ClientFields(
            name=self.cleaned_data["name"],
            bundle_ids=self.cleaned_data.get("bundle_ids", ()),
            origins=self.cleaned_data.get("origins", ()),
        )


def stream_initial(stream: Stream) -> dict[str, Any]:
    """Return a stream as the form shows it: times on the clocks of its zone."""
    fields = StreamFields.of(stream)
    walls = {
        name: wall_at(moment, fields.time_zone) if moment else None
        for name, moment in (("starts_at", fields.starts_at), ("ends_at", fields.ends_at))
    }
    return {**vars(fields), **walls, "tags": ", ".join(fields.tags), "version": stream.version}


def add_errors(form: forms.Form, error: DomainError) -> None:
    """Put each message of a refusal beside its field, or above the form."""
    pairs: Sequence[tuple[str, str]] = (
        error.errors if isinstance(error, InvalidFields) else [(error.field, error.message)]
    )
    for field, message in pairs:
        form.add_error(field if field in form.fields else None, message)


def _midnight(day: date | None) -> datetime | None:
    return datetime.combine(day, time.min, tzinfo=UTC) if day else None
