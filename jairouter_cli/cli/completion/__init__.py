"""Completion in the shell: the script of each shell, and the replies to what it asks.

The scripts run `jairouter __complete`, a command of its own, so that a version without it never runs the line that is
being typed. What values an argument can have is in `cli/candidates.py`.
"""
