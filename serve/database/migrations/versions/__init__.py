"""Each step of the schema, in order."""
