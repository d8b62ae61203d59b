"""Column types that mean the same on SQLite and PostgreSQL; migrations use them by these names."""

from sqlalchemy import BigInteger, Integer, String

# Byte order, as SQLite compares: prefix ranges and the answer's order are the same on both.
Text = String().with_variant(String(collation="C"), "postgresql")
# SQLite gives row ids to INTEGER PRIMARY KEY only.
Identity = BigInteger().with_variant(Integer(), "sqlite")
