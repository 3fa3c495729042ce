"""The node: it hears processes out and shows consoles the whole picture."""
