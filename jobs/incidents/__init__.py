"""The corporate memory: times in which an exchange was down, or we were."""
