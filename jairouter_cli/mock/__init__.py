"""A pretend model server. May import `errors`, Litestar and the server; it knows nothing of the gateway."""
