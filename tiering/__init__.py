"""When bytes move between the tiers. Serves none: who reads goes through `pacs.retrieve`."""
