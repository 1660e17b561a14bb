"""OpenAI's Responses API, stateless, in front of backends that speak chat completions."""
