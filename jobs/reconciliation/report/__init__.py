"""The page that tells a person how one reconciliation came out: pure, but for `gathering`."""
