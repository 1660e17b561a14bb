"""Sending one request to one backend: the role (`exchange`) and what plays it."""
