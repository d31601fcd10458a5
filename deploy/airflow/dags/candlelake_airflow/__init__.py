"""What the DAGs share: settings, the operators of our commands, windows of time, alerts."""
