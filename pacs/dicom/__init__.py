"""DICOM as data: tags, values, text and bytes. No I/O, no SQL."""
