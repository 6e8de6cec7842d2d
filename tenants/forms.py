"""What may a person type on the pages about organizations, people and tokens?"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.validators import ProhibitNullCharactersValidator
from django.http import HttpRequest, QueryDict

from core.access import HasRole, may, permissions_of
from tenants.models import Role, User, valid_slug
from tenants.queries import AuditFilter

TOKEN_LIVES = [("30", "30 days"), ("90", "90 days"), ("365", "1 year"), ("", "Never")]
SEARCH_LENGTH = 200


def posted(request: HttpRequest) -> QueryDict | None:
    """Return what a form is bound to: an empty POST counts as filled in wrongly."""
    return request.POST if request.method == "POST" else None


def assignable_roles(by: HasRole) -> list[tuple[str, str]]:
    """Return the roles this holder may give: none above their own."""
    return [
        (value, label)
        for value, label in Role.choices
        if permissions_of(value) <= permissions_of(by.role)
        and (value != Role.OWNER or may(by, "owners.change"))
    ]


class OrganizationForm(forms.Form):
    name = forms.CharField(max_length=120)
    slug = forms.CharField(
        label="Short name",
        max_length=40,
        validators=[valid_slug],
        help_text="Part of every address: lower-case letters, digits, hyphens. It never changes.",
    )


class ProfileForm(forms.Form):
    name = forms.CharField(max_length=120, help_text="What people read on every page.")


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=Role.choices)


class InvitationForm(forms.Form):
    email = forms.EmailField(label="E-mail", max_length=254)
    role = forms.ChoiceField(choices=Role.choices, initial=Role.OPERATOR)

    def __init__(self, *args: Any, by: HasRole, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        role = self.fields["role"]
        assert isinstance(role, forms.ChoiceField)
        role.choices = assignable_roles(by)


class TokenForm(forms.Form):
    name = forms.CharField(max_length=80, help_text="Where it is used, such as “nightly import”.")
    role = forms.ChoiceField(choices=Role.choices, initial=Role.OPERATOR)
    expires = forms.ChoiceField(
        choices=TOKEN_LIVES,
        initial="90",
        required=False,
        label="Expires after",
    )

    def __init__(self, *args: Any, by: HasRole, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        role = self.fields["role"]
        assert isinstance(role, forms.ChoiceField)
        role.choices = assignable_roles(by)

    def expires_at(self, at: datetime) -> datetime | None:
        days = self.cleaned_data["expires"]
        return at + timedelta(days=int(days)) if days else None


class RegistrationForm(forms.Form):
    """A new account for an invited person; the address is the invitation's."""

    name = forms.CharField(label="Your name", max_length=120)
    password = forms.CharField(
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        strip=False,
        max_length=256,
        help_text="At least 12 characters.",
        validators=[ProhibitNullCharactersValidator()],
    )

    def __init__(self, *args: Any, email: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.email = email

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        password = cleaned.get("password")
        if password:
            somebody = User(email=self.email, name=cleaned.get("name", ""))
            try:
                validate_password(password, somebody)
            except forms.ValidationError as error:
                self.add_error("password", error)
        return cleaned


class AuditForm(forms.Form):
    """The audit page's filters; what cannot be read is ignored rather than refused."""

    q = forms.CharField(required=False, max_length=SEARCH_LENGTH)
    action = forms.CharField(required=False, max_length=64)
    actor = forms.CharField(required=False, max_length=254)
    target_type = forms.CharField(required=False, max_length=32)
    target = forms.CharField(required=False, max_length=64)
    result = forms.ChoiceField(required=False, choices=[("done", "Done"), ("refused", "Refused")])
    since = forms.DateField(required=False)
    until = forms.DateField(required=False)

    def chosen(self) -> AuditFilter:
        self.full_clean()
        found = self.cleaned_data
        return AuditFilter(
            search=found.get("q", ""),
            action=found.get("action", ""),
            actor=found.get("actor", ""),
            target_type=found.get("target_type", ""),
            target_id=found.get("target", ""),
            result=found.get("result", ""),
            since=found.get("since"),
            until=found.get("until"),
        )
