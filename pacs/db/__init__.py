"""The one database: connection, schema, migrations."""
