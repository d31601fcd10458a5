"""How large the files of a table shall be."""

from __future__ import annotations

from dataclasses import dataclass

OPTIMIZE_SMALL = "spark.databricks.delta.optimize.minFileSize"
OPTIMIZE_TARGET = "spark.databricks.delta.optimize.maxFileSize"


@dataclass(frozen=True, slots=True)
class FileSizes:
    """Below how many bytes a file is small, and how many a file shall have."""

    small: int
    target: int

    def conf(self) -> dict[str, str]:
        """Return them as Delta's own settings."""
        return {OPTIMIZE_SMALL: str(self.small), OPTIMIZE_TARGET: str(self.target)}
