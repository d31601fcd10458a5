"""Pure functions from DataFrame to DataFrame: no reads, no writes, no clock, no settings."""
