"""One module an exchange: how it is asked and how its answers are paged."""
