"""Pages about organizations, people and tokens."""

from __future__ import annotations

from django.urls import path

from tenants import audit_views, people_views, views

app_name = "tenants"

ORGANIZATION = "o/<slug:organization>/"

urlpatterns = [
    path("", views.start, name="start"),
    path("organizations/", views.switch, name="switch"),
    path("o/new/", views.create, name="create"),
    path("invitations/<str:secret>/", people_views.invitation, name="invitation"),
    path("invitations/<str:secret>/account/", people_views.register, name="register"),
    path(ORGANIZATION, views.home, name="home"),
    path(f"{ORGANIZATION}palette/", views.palette, name="palette"),
    path(f"{ORGANIZATION}profile/", views.profile, name="profile"),
    path(f"{ORGANIZATION}people/", people_views.people, name="people"),
    path(f"{ORGANIZATION}people/<int:user_id>/role/", people_views.member_role, name="member_role"),
    path(
        f"{ORGANIZATION}people/<int:user_id>/remove/",
        people_views.member_remove,
        name="member_remove",
    ),
    path(f"{ORGANIZATION}invitations/new/", people_views.invite, name="invite"),
    path(
        f"{ORGANIZATION}invitations/<int:invitation_id>/resend/",
        people_views.invitation_resend,
        name="invitation_resend",
    ),
    path(
        f"{ORGANIZATION}invitations/<int:invitation_id>/withdraw/",
        people_views.invitation_withdraw,
        name="invitation_withdraw",
    ),
    path(f"{ORGANIZATION}tokens/", people_views.tokens, name="tokens"),
    path(f"{ORGANIZATION}tokens/new/", people_views.token_create, name="token_create"),
    path(
        f"{ORGANIZATION}tokens/<slug:public_id>/revoke/",
        people_views.token_revoke,
        name="token_revoke",
    ),
    path(f"{ORGANIZATION}audit/", audit_views.audit, name="audit"),
    path(f"{ORGANIZATION}audit/export.csv", audit_views.audit_export, name="audit_export"),
    path(f"{ORGANIZATION}audit/<int:entry_id>/", audit_views.audit_entry, name="audit_entry"),
]
