"""Read bounces, complaints and automatic replies: bytes in, values out."""

from tracking.bounces.classifying import classify
from tracking.bounces.reading import read
from tracking.bounces.reports import Kind, Recipient, Report

__all__ = ["Kind", "Recipient", "Report", "classify", "read"]
