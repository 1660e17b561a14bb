"""`jairouter doctor`: examines a set-up, and says what is wrong, why that matters, and the command that mends it."""
