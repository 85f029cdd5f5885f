"""What is wrong with a request, collected before anything is refused."""

from taskwire_shared.domain.errors import FieldViolation, InvalidFields


class Violations:
    """Collects violations; `refuse` raises when there are any."""

    __slots__ = ("found",)

    def __init__(self) -> None:
        self.found: list[FieldViolation] = []

    def add(self, field: str, description: str) -> None:
        """Remember that `field` (a path) is not valid. `description` goes on after the path, as in "must be ..."."""
        self.found.append(FieldViolation(field, description))

    def refuse(self) -> None:
        """Raise `InvalidFields` with everything found, if anything was."""
        if self.found:
            raise InvalidFields(self.found)


def refuse_field(field: str, description: str) -> InvalidFields:
    """Make the error for a single field that is not valid."""
    return InvalidFields([FieldViolation(field, description)])
