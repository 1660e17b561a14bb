"""Anthropic's Messages API in front of backends that speak chat completions."""
