"""The bytes of requests and answers, whatever their dialect. Pure. May import `errors` and `config.kinds`."""
