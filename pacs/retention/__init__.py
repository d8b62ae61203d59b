"""What is deleted: into the trash, back from it, and gone for good."""
