"""JAiRouter: an AI gateway for people who run their own models."""
