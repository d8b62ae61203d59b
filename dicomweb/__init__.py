"""The DICOMweb edge (PS3.18): turns HTTP into values and values into HTTP, and decides nothing."""
