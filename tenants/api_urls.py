"""Addresses of the organization and its people below /api/v1/organizations/<slug>/."""

from __future__ import annotations

from django.urls import path

from tenants import api

urlpatterns = [
    path("", api.OrganizationDetail.as_view(), name="api-organization"),
    path("members", api.MemberList.as_view(), name="api-members"),
    path("members/<int:user_id>", api.MemberDetail.as_view(), name="api-member"),
    path("invitations", api.InvitationList.as_view(), name="api-invitations"),
    path("invitations/<int:invitation_id>", api.InvitationDetail.as_view(), name="api-invitation"),
    path("tokens", api.TokenList.as_view(), name="api-tokens"),
    path("tokens/<slug:public_id>", api.TokenDetail.as_view(), name="api-token"),
    path("audit", api.AuditList.as_view(), name="api-audit"),
]
