"""YAML 1.2 with positions, so that every mistake can be told as ``file:line:column`` and all of them at once.

Plain data only: no tags that make objects, dates stay text. This package knows nothing of what files mean.
"""

from connector.yamlfile.document import Document, parse, read
from connector.yamlfile.values import Steps

__all__ = ["Document", "Steps", "parse", "read"]
