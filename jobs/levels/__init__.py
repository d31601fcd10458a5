"""What is promised of the data, and whether it is kept: freshness, completeness, cost."""
