"""The gates: Great Expectations suites in code, and the one place that runs them."""
