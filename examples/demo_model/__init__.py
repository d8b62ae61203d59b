"""A demonstration network for synthetic radiographs. NOT FOR CLINICAL USE."""
