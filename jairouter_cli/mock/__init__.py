"""A mock model server. May import `errors`, litestar, msgspec and granian, but nothing of the gateway."""
