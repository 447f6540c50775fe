from django.db import models


class GivenPermission(models.Model):
    """A permission that a role has been given once; if it is not there now, somebody took it."""

    role = models.CharField(max_length=30)
    permission = models.CharField(max_length=150)  # app.codename

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["role", "permission"], name="given_permission_unique")
        ]

    def __str__(self) -> str:
        return f"{self.role}: {self.permission}"
