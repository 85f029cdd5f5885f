"""A resolver of tenants by metadata, so that there is a second tenant whose view can be tried."""

from typing import Any

TENANT_KEY = "x-chaos-tenant"


def resolve(context: Any) -> str:
    """Name the tenant of a call: what the metadata says, or "default"."""
    for key, value in context.invocation_metadata() or ():
        if key == TENANT_KEY:
            return str(value)
    return "default"


def plant() -> None:
    """Have this gateway use it."""
    from taskwire_gateway import app

    defaults = app.serve.__kwdefaults__
    assert defaults is not None
    defaults["tenancy"] = resolve
