"""How large the files of a table shall be."""

from __future__ import annotations

from dataclasses import dataclass

OPTIMIZE_SMALL = "spark.databricks.delta.optimize.minFileSize"
OPTIMIZE_TARGET = "spark.databricks.delta.optimize.maxFileSize"
#: Else the order is one of files: rows within a file lie as they came.
OPTIMIZE_ROWS = "spark.databricks.io.skipping.mdc.sortWithinFiles"


@dataclass(frozen=True, slots=True)
class FileSizes:
    """Below how many bytes a file is small, and how many a file shall have."""

    small: int
    target: int

    def conf(self) -> dict[str, str]:
        """Return them as Delta's own settings."""
        sizes = {OPTIMIZE_SMALL: str(self.small), OPTIMIZE_TARGET: str(self.target)}
        return {**sizes, OPTIMIZE_ROWS: "true"}
