"""Live collectors: what the exchanges push over websockets lands in bronze, with no gap in ids."""
