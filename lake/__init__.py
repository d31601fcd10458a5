"""The ground floor: settings, schemas, bronze layout, the only Delta writes."""
