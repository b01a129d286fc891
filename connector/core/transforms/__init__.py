"""Named value functions that a mapping may use. Pure: what a partner's package adds is loaded elsewhere.

A transform never invents data: it gives a value AWS takes, gives nothing, or says what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from connector.core.transforms import contacts, numbers, texts
from connector.core.transforms.transform import Argument, Transform, TransformError, apply

TRANSFORMS: Mapping[str, Transform] = MappingProxyType(
    {transform.name: transform for transform in (*texts.TRANSFORMS, *numbers.TRANSFORMS, *contacts.TRANSFORMS)}
)

__all__ = ["TRANSFORMS", "Argument", "Transform", "TransformError", "apply"]
