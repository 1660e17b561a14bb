"""Who calls, and what their credentials may reach. Pure. May import `errors`, `config.model` and `payloads.headers`."""
