"""Which studies go to which models, and what their answers may do: findings as DICOM SR through the one
way in, and the order of the reading list through `pacs.reading.reprioritise`. Nothing else."""
