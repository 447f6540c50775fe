"""Read bounces, complaints and automatic replies: bytes in, values out."""

from tracking.bounces.classifying import classify

__all__ = ["classify"]
