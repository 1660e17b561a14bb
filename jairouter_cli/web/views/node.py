"""What is shown, before it becomes JSON."""

from typing import Any

Node = dict[str, Any]
"""An object: members in the order in which they are shown."""
