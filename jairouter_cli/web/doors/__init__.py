"""How requests come in and answers go out: a role, and one player of it for each interface of the server."""
