"""What happened, as events, and where they go."""
