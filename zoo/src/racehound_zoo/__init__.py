"""The zoo: a server that behaves as Materialize does, for the part of its dialect that the catalogue of kinds uses.

It is the double for tests and the proving ground: behind switches it holds seeded races (`defects`). Its rooms:

- `wire`, `connection`: the PostgreSQL protocol; a thread for each connection.
- `dialect`: text to statements; what a query reads is found in its text, the rest of a query is left to PostgreSQL.
- `catalog`: what exists, as one immutable state that is replaced as a whole; `catalog.lock` orders all DDL.
- `storage`: the rows, in an embedded PostgreSQL, by the ids of the relations, so that a rename touches no row.
- `execution`: sessions, transactions, and a module for each family of statements.
- `relations`: mz_catalog and mz_internal, rendered from the state that a query sees.
- `sources`: what fills relations from outside, behind one seam (`sources.source`), and `sources.sink`, what carries them out.
- `http`: webhooks and the endpoints of operators.
"""
