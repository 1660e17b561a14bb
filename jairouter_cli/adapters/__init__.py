"""Pure translation between the OpenAI API and what an instance speaks.

May import `errors`, `config.model`, `routing.call`; no I/O. A dialect that needs no translation is a row in `dialects`.
"""
