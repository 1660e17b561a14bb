"""`jairouter discover` and `jairouter instances add URL`: what a backend is, and its models as instances."""
