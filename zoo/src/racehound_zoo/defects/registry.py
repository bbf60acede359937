"""The list of the seeded defects."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Defect:
    """A seeded defect.

    `models` is the class of bugs that it stands for, with a public issue where there is one. `trigger` says when it shows.
    `oracles` are the oracles that should find it: any of them is enough. `needs` is the service that it cannot show without, ""
    for none.
    """

    name: str
    models: str
    trigger: str
    oracles: tuple[str, ...]
    needs: str = ""


DEFECTS = (
    Defect(
        "panic-on-rename",
        "a coordinator that unwraps a name that a concurrent statement has just changed (MaterializeInc/materialize#28640)",
        "a relation is renamed while an object is being created on it",
        ("crash",),
    ),
    Defect(
        "lost-rename",
        "a lost update of the catalog: a statement writes back the whole entry that it read before another one changed it",
        "an object is renamed while GRANT, COMMENT or ALTER OWNER changes it, or while another object is created on it: "
        "it has its old name again, or the next use of the new name fails",
        ("names", "errors"),
    ),
    Defect(
        "stale-view",
        "a dataflow that remains bound to the meaning that a name had when it was planned",
        "a relation is renamed, and renamed back, while a materialized view is being created on it: the view never changes again",
        ("contents",),
    ),
    Defect(
        "name-taken",
        "a failed creation that leaves its name reserved (MaterializeInc/materialize#17061)",
        "a dependency of a new object is dropped or renamed while the object is being created: its name cannot be used again",
        ("errors",),
    ),
    Defect(
        "dropped-dependency",
        "a dependency check that is made before the catalog is locked and not again after (MaterializeInc/materialize#37652)",
        "a dependency of a new object is dropped while the object is being created: the object exists without it",
        ("health",),
    ),
    Defect(
        "deadlock",
        "two statements that lock the same objects in opposite orders and wait for each other (MaterializeInc/materialize#28400)",
        "two sessions SWAP the same two objects in opposite orders; DROP CASCADE runs while one of the dependents is renamed",
        ("hang",),
    ),
    Defect(
        "hanging-drop",
        "a drop that waits for the end of a dataflow that nobody ends (MaterializeInc/materialize#15860)",
        "an object is created on a relation while the relation is being dropped",
        ("hang",),
    ),
    Defect(
        "wrong-snapshot",
        "a materialized view whose snapshot is taken before a concurrent write, and whose updates begin after it",
        "a table is written while a materialized view is being created on it",
        ("contents",),
    ),
    Defect(
        "unexplained-error",
        "a catalog transaction that fails when another one was faster, although the two are unrelated "
        "(MaterializeInc/materialize#37530)",
        "two objects are created at the same time",
        ("errors",),
    ),
    Defect(
        "duplicate-id",
        "an id that is allocated from a snapshot of the catalog",
        "two objects are created at the same time: both have the same id",
        ("health",),
    ),
    Defect(
        "ghost-relation",
        "an index that outlives its relation and is used for the next relation with the same name",
        "an index is created on a relation while the relation is being dropped: the next relation with its name cannot be read",
        ("errors",),
    ),
    Defect(
        "lost-grant",
        "a lost update of an object's privileges",
        "two GRANT or REVOKE statements change one object or schema at the same time: one of them has no effect",
        ("contents", "names"),
    ),
    Defect(
        "cluster-leftovers",
        "a drop of a cluster that removes only the objects that it has seen in it (MaterializeInc/materialize#13857)",
        "an object is created in a cluster while the cluster is being dropped",
        ("health",),
    ),
    Defect(
        "lost-write",
        "a write that is acknowledged although DDL has removed its table before it was made (MaterializeInc/materialize#14124)",
        "INSERT writes to a table while it is altered, or while an object is created on it or dropped from it",
        ("contents",),
    ),
    Defect(
        "orphaned-subscription",
        "a subscription that is not told that its relation was dropped (MaterializeInc/materialize#22136)",
        "SUBSCRIBE begins while the catalog changes: when its relation is dropped, it neither ends nor shows any progress",
        ("contents",),
    ),
    Defect(
        "leaked-slot",
        "an upstream replication slot that is recorded only after it has been created "
        "(a source's end that races with its slot: MaterializeInc/materialize#6907, #6930)",
        "a source of PostgreSQL is dropped while it starts: its replication slot stays",
        ("health",),
        "postgres",
    ),
    Defect(
        "source-table-wrong-snapshot",
        "a snapshot that contains more than its position in the stream says (MaterializeInc/materialize#25124)",
        "a table is added to a source of PostgreSQL or MySQL while it is written upstream: it has rows twice",
        ("contents",),
        "postgres",
    ),
    Defect(
        "doubled-rows-on-restart",
        "a source that writes rows first and saves its progress afterwards (MaterializeInc/materialize#13749)",
        "a cluster loses its replica while a source writes a transaction: on the next replica the transaction is written again",
        ("contents",),
        "mysql",
    ),
    Defect(
        "lost-rows-on-restart",
        "a source that saves its progress first and writes rows afterwards (MaterializeInc/materialize#11506)",
        "a cluster loses its replica while a source writes a batch: on the next replica the source continues after that batch",
        ("contents",),
        "kafka",
    ),
    Defect(
        "duplicated-rows-in-sink",
        "a sink that sends again what it has sent before (MaterializeInc/materialize#13198)",
        "a sink is altered, or its replica changes, while it sends a commit: the commit is sent twice",
        ("health",),
        "kafka",
    ),
    Defect(
        "shared-snapshot",
        "a table whose snapshot begins where the snapshot of another table ends (MaterializeInc/materialize#29696 is similar: "
        "a table of a source never gets its rows)",
        "a table is added to a Kafka source while the source takes the snapshot of another table: the new table lacks the "
        "messages that were in the topic",
        ("contents",),
        "kafka",
    ),
)
