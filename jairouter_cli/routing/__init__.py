"""Pure policy: which instance gets a call. May import `errors`, `config.model` and the standard library.

No I/O, no clock, no randomness of its own: `now` and `rng` are arguments.
"""
