"""`jairouter top`: what a terminal shows of a running gateway."""
