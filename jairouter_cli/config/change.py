"""The result of an edit."""

from dataclasses import dataclass, field

from jairouter_cli.config.document import Document


@dataclass(frozen=True, slots=True)
class Change:
    """An edited document and what was done to it: one sentence, and where it applies the service and the instance."""

    document: Document = field(repr=False)
    summary: str
    service: str | None = None
    instance: str | None = None
