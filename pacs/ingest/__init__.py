"""ONE WAY IN: C-STORE, STOW, import, migration and AI results all pass `Ingest.accept`."""
