"""What did a person type into a form about SDK keys?"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms

from sdk_keys.models import SdkKey
from sdk_keys.operations import MAX_NAME, KeyFields
from sdk_keys.queries import KeyFilter
from streams.forms import MAX_LINES_TEXT, MAX_SEARCH, LinesField
from streams.models import Client, Platform
from streams.platforms import PLATFORMS

LIVES = [("", "Never"), ("30", "In 30 days"), ("90", "In 90 days"), ("365", "In a year")]
OVERLAP_CHOICES = [
    ("24h", "For 24 hours more"),
    ("7d", "For 7 days more"),
    ("1h", "For one hour more"),
    ("now", "Not at all: its connected SDKs are closed now"),
]
STATUS_CHOICES = [
    ("", "Any status"),
    ("usable", "In force"),
    ("expiring", "Expiring soon"),
    ("expired", "Expired"),
    ("revoked", "Revoked"),
]


class KeyFilterForm(forms.Form):
    """The address of the list of keys; what makes no sense in it is left out."""

    q = forms.CharField(required=False, max_length=MAX_SEARCH)
    kind = forms.ChoiceField(required=False, choices=SdkKey.Kind.choices)
    status = forms.ChoiceField(required=False, choices=STATUS_CHOICES)

    def wanted(self) -> KeyFilter:
        self.is_valid()
        asked = self.cleaned_data
        return KeyFilter(
            search=asked.get("q", ""), kind=asked.get("kind", ""), status=asked.get("status", "")
        )


class ExpiryForm(forms.Form):
    expires = forms.ChoiceField(label="Expires", required=False, choices=LIVES)

    def expires_at(self, at: datetime) -> datetime | None:
        days = self.cleaned_data["expires"]
        return at + timedelta(days=int(days)) if days else None


class KeyForm(ExpiryForm):
    """A new key."""

    name = forms.CharField(
        max_length=MAX_NAME,
        help_text="Where it is used, as in: Production.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
    )
    kind = forms.ChoiceField(
        choices=[
            ("publishable", "Publishable: may be in an app that anybody can open"),
            ("secret", "Secret: for servers only"),
        ],
        initial="publishable",
        widget=forms.RadioSelect,
    )
    identifiers = LinesField(required=False, max_length=MAX_LINES_TEXT)
    field_order = ("name", "kind", "expires", "identifiers")

    def __init__(self, *args: Any, client: Client, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rules = PLATFORMS[Platform(client.platform)]
        self.target = "origins" if rules.has_origins else "bundle_ids"
        field = self.fields["identifiers"]
        field.label = "More origins" if rules.has_origins else f"More {rules.id_label}s"
        field.help_text = "One a line, besides the client's own."
        field.widget.attrs["rows"] = 2

    def key_fields(self, at: datetime) -> KeyFields:
        given = self.cleaned_data
        identifiers = {self.target: given["identifiers"]}
        return KeyFields(
            name=given["name"], kind=given["kind"], expires_at=self.expires_at(at), **identifiers
        )


class RotationForm(ExpiryForm):
    """A successor and how long the old key stays."""

    overlap = forms.ChoiceField(
        label="The old key stays in force",
        choices=OVERLAP_CHOICES,
        initial="24h",
        widget=forms.RadioSelect,
    )
    field_order = ("overlap", "expires")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["expires"].label = "The new key expires"


class RevocationForm(forms.Form):
    """Why, and the name of the key where it is in use."""

    comment = forms.CharField(
        label="Reason",
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    typed_name = forms.CharField(
        required=False,
        max_length=MAX_NAME,
        widget=forms.TextInput(
            attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}
        ),
    )

    def __init__(self, *args: Any, name: str, must_type: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.name = name
        if not must_type:
            del self.fields["typed_name"]
            return
        self.fields["typed_name"].label = f"Type {name} to confirm"
        self.fields["typed_name"].widget.attrs["data-typed-name"] = name

    def clean_typed_name(self) -> str:
        typed: str = self.cleaned_data["typed_name"]
        if typed != self.name:
            raise forms.ValidationError("This is not the name of the key.")
        return typed
