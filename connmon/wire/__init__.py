"""How connmon programs speak to each other: commands, payloads and the link."""
