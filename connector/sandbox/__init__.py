"""Offline stand-ins for the two services, for the demo, tests and benches; they know nothing of the connector."""
