"""The two sides of each comparison, every one a process of its own that prints its measurements as one JSON object."""
