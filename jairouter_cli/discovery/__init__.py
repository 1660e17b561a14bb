"""Finds out what a backend is: its kind, its models and what they can do, from answers to harmless GET requests.

`kinds` recognises, `models` reads lists of models, and neither does any I/O; `probe` asks.
"""
