"""What a network needs on a device: memory, and time."""
