"""Hilum: a DICOMweb PACS and vendor-neutral archive."""

__version__ = "0.1.0"
