"""The conformance statement of the DICOM port (PS3.2), written from the tables that the code goes by."""

from dimse.statement.document import write

__all__ = ["write"]
