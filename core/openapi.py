"""How does the OpenAPI file describe what every operation shares: the token, errors, repeats?"""

from __future__ import annotations

from typing import Any, Literal

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from core.errors import PROBLEM_TYPE
from core.idempotency import HEADER, IdempotentPostMixin

READ_PROBLEMS = ("400", "401", "403", "404", "503")
WRITE_PROBLEMS = (*READ_PROBLEMS, "409", "412", "413", "415", "422", "428")
IDEMPOTENCY_KEY = OpenApiParameter(
    HEADER,
    str,
    OpenApiParameter.HEADER,
    description=(
        "1 to 128 printable characters. The same key with the same body within 24 hours gets the "
        "stored answer and `Idempotency-Replayed: true`; with another body 422; while the first "
        "request is running 409."
    ),
)


class FieldProblemSerializer(serializers.Serializer[Any]):
    field = serializers.CharField(help_text="Name of the field, with dots into nested ones")
    message = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """An error as RFC 9457 describes it; further members depend on the type."""

    type = serializers.CharField(help_text="Stable, such as /problems/not-found")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    errors = FieldProblemSerializer(  # type: ignore[assignment]  # RFC 9457 bodies call it so
        many=True, required=False
    )


class GantrySchema(AutoSchema):
    """Adds the problem answers and the Idempotency-Key header to every operation."""

    def get_override_parameters(self) -> list[Any]:
        found = list(super().get_override_parameters())
        if self.method == "POST" and isinstance(self.view, IdempotentPostMixin):
            found.append(IDEMPOTENCY_KEY)
        return found

    def _get_response_bodies(
        self, direction: Literal["request", "response"] = "response"
    ) -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for code in READ_PROBLEMS if self.method == "GET" else WRITE_PROBLEMS:
            if code not in bodies:
                bodies[code] = self._get_response_for_code(  # type: ignore[no-untyped-call]  # no types
                    ProblemSerializer, code, media_types=[PROBLEM_TYPE]
                )
        return dict(sorted(bodies.items()))


class ApiTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # no types
    target_class = "tenants.authentication.ApiTokenAuthentication"
    name = "apiToken"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "gt_<id>_<secret>"}
