"""All of an instrument's trades by id: a scheduler's messages, and the worker that takes them."""
