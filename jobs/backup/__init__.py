"""A copy of a lake in another store, whole and consistent, and the way back from it."""
