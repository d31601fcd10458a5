"""How rows and files look: our own way, and those of programs that many use."""
