"""Keeps Salesforce opportunities and AWS Partner Central in step."""

__version__ = "0.1.0"
