"""An emulator of Materialize: a server that answers as Materialize does, for the part of its dialect that racehound's kinds use.

racehound is tested with it. It contains seeded defects, each of which is a race that racehound must find.

- `wire`, `connection`, `listener`: the PostgreSQL protocol, with one thread for each connection.
- `dialect`: parses statements. Of a query it finds the relations that are read; PostgreSQL parses the rest.
- `catalog`: what exists, as one immutable state that each change replaces. The catalog's lock puts all DDL into one order.
- `storage`: the rows, in an embedded PostgreSQL, under the ids of the relations, so that a rename moves no row.
- `execution`: sessions, transaction blocks, and one module for each family of statements.
- `relations`: mz_catalog and mz_internal, rendered from the state that a query sees.
- `sources`: ingestions, which fill relations from upstream systems, and sinks, which write relations to them.
- `http`: webhooks and the endpoints for operators.
- `defect_hooks`: the points at which a seeded defect may act. `defects`: the seeded defects.
- `server`: starts all of these.
"""

__version__ = "0.1.0"
