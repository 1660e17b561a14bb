"""Surface: the command line.

May import `errors` and `config`; `web`, `mock` and `httpx` only inside the commands that need them, so that all others
start at once. For the same reason `commands.py` imports a command only when it is called.
"""
