"""What is held and what is missing: shown as a table and a picture, and repaired."""
