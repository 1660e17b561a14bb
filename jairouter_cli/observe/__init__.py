"""Events, and the sinks they go to: metrics, logs, traces, usage."""
