"""Sockets: calling backends, watching the file and the instances. May import all but `web` and `cli`."""
