"""Surface: the Litestar application. May import everything but `cli`."""
