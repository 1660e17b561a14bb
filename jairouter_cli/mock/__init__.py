"""A mock model server. May import `errors`, litestar, msgspec and granian; it knows nothing of the gateway."""
