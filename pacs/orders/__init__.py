"""What is to be scanned, and what was: orders, the modality worklist, performed procedure steps."""
