"""What two sources say of the same rows, side by side: equal, different, and why."""
