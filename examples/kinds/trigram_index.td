# A trigram index, which the extension pg_trgm brings, over the table of the object below it.
kind: TrigramIndex
database: postgres
about: A trigram index on the base. Verified: the index and the table find the same rows.
requires: pg_trgm
draw fastupdate: on, off
manipulation rename: rename, rename_back
manipulation reindex: reindex
manipulation set_options: delay_updates, update_at_once
manipulation write: insert, update, search
manipulation recreate: destroy, create

=== prepare
> CREATE EXTENSION IF NOT EXISTS pg_trgm

=== create
> CREATE INDEX ${name} ON ${table} USING gin (b gin_trgm_ops) WITH (fastupdate = ${fastupdate})

=== change rename
> ALTER INDEX ${object} RENAME TO ${name}_tmp

=== change rename_back
> ALTER INDEX ${schema}.${name}_tmp RENAME TO ${name}

=== change reindex
> REINDEX INDEX ${object}

=== change delay_updates
> ALTER INDEX ${object} SET (fastupdate = on)

=== change update_at_once
> ALTER INDEX ${object} SET (fastupdate = off)

=== change insert
> ${insert-group}

=== change update
> ${update-group}

=== read search
> SELECT count(*) % 10 FROM ${table} WHERE b LIKE '%b%'
0

=== verify
# Both counts are made by one statement, so from one snapshot. No index serves the condition on b || ''.
> SET enable_seqscan = off
> SELECT (SELECT count(*) FROM ${table} WHERE b LIKE '%b%') - (SELECT count(*) FROM ${table} WHERE (b || '') LIKE '%b%')
0
> RESET enable_seqscan

=== destroy
> DROP INDEX ${object} CASCADE
