"""Everything in one command: what polls, what refines and publishes, and what serves."""
