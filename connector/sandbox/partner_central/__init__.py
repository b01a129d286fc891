"""A Partner Central Selling service in memory, faithful enough for the real AWS SDK and CLI.

It exists so that the whole circle can be run, tested and measured without an AWS account. It keeps its own
tables of what AWS enforces and must never import the connector it is used to test.
"""
