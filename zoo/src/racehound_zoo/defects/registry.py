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
        "a relation is renamed while something is being created on it",
        ("crash",),
    ),
    Defect(
        "lost-rename",
        "a lost update of the catalog: a statement writes back the whole entry that it read before another changed it",
        "GRANT, COMMENT or ALTER OWNER on an object, or a creation on it, while it is renamed: the old name at rest, or "
        "an error when the new one is used next",
        ("names", "errors"),
    ),
    Defect(
        "stale-view",
        "a dataflow that stays bound to what a name meant when it was planned",
        "a relation is renamed, and back, while a materialized view is being created on it: the view never changes again",
        ("contents",),
    ),
    Defect(
        "name-taken",
        "a failed creation that leaves its name reserved (MaterializeInc/materialize#17061)",
        "what a new object depends on is dropped or renamed while it is being created: its name cannot be used again",
        ("errors",),
    ),
    Defect(
        "dropped-dependency",
        "a dependency check that is made before the catalog is locked and not again after (MaterializeInc/materialize#37652)",
        "what a new object depends on is dropped while it is being created: it exists without it",
        ("health",),
    ),
    Defect(
        "deadlock",
        "two statements that wait for each other, having locked the same in opposite orders (MaterializeInc/materialize#28400)",
        "SWAP of the same two from both sides; DROP CASCADE from above while a dependent is renamed from below",
        ("hang",),
    ),
    Defect(
        "hanging-drop",
        "a drop that waits for the end of a dataflow that nobody will end (MaterializeInc/materialize#15860)",
        "something is created on a relation while that is being dropped",
        ("hang",),
    ),
    Defect(
        "wrong-snapshot",
        "a materialized view whose snapshot is taken before, and whose updates begin after, a concurrent write",
        "a table is written while a materialized view is being created on it",
        ("contents",),
    ),
    Defect(
        "unexplained-error",
        "a catalog transaction that gives up when another was faster, though the two have nothing to do with each other "
        "(MaterializeInc/materialize#37530)",
        "two creations at the same time",
        ("errors",),
    ),
    Defect(
        "duplicate-id",
        "an id allocated from a snapshot of the catalog",
        "two creations at the same time: both objects have one id",
        ("health",),
    ),
    Defect(
        "ghost-relation",
        "an index that outlives its relation and is taken for one of that relation's successor",
        "an index is created on a relation while that is being dropped: what has its name later cannot be read",
        ("errors",),
    ),
    Defect(
        "lost-grant",
        "a lost update of an object's privileges",
        "two GRANTs or REVOKEs on one object or schema at the same time: one of them is forgotten",
        ("contents", "names"),
    ),
    Defect(
        "cluster-leftovers",
        "a drop of a cluster that removes what it saw in it, not what is in it (MaterializeInc/materialize#13857)",
        "something is created in a cluster while that is being dropped",
        ("health",),
    ),
    Defect(
        "lost-write",
        "a write that was acknowledged though DDL took its table away before it was made (MaterializeInc/materialize#14124)",
        "INSERT into a table while it is altered, or something is created on it or dropped from it",
        ("contents",),
    ),
    Defect(
        "orphaned-subscription",
        "a subscription that does not learn that its relation was dropped (MaterializeInc/materialize#22136)",
        "SUBSCRIBE is begun while the catalog changes: when its relation is dropped it does not end, and no time comes any more",
        ("contents",),
    ),
    Defect(
        "leaked-slot",
        "a slot upstream that is remembered only once it is there "
        "(a source's end that races with its slot: MaterializeInc/materialize#6907, #6930)",
        "a source of PostgreSQL is dropped while it starts: its replication slot stays",
        ("health",),
        "postgres",
    ),
    Defect(
        "source-table-wrong-snapshot",
        "a snapshot that has more in it than its place in the stream says (MaterializeInc/materialize#25124)",
        "a table is added to a source of PostgreSQL or MySQL while it is written there: it has rows twice",
        ("contents",),
        "postgres",
    ),
    Defect(
        "doubled-rows-on-restart",
        "a source that writes first and remembers then (MaterializeInc/materialize#13749)",
        "a cluster loses its replica while a source takes a transaction: with the next replica it is taken again",
        ("contents",),
        "mysql",
    ),
    Defect(
        "lost-rows-on-restart",
        "a source that remembers first and writes then (MaterializeInc/materialize#11506)",
        "a cluster loses its replica while a source takes a batch: the next replica goes on behind it",
        ("contents",),
        "kafka",
    ),
    Defect(
        "duplicated-rows-in-sink",
        "a sink that begins again with what it has sent already (MaterializeInc/materialize#13198)",
        "a sink is altered, or its replica changes, while a commit is on its way: the commit is sent twice",
        ("health",),
        "kafka",
    ),
    Defect(
        "shared-snapshot",
        "a table whose snapshot begins where that of another table of the source ends (MaterializeInc/materialize#29696 is one "
        "of the sort: a table of a source that never gets its rows)",
        "a table is added to a Kafka source while another one of it takes its snapshot: what was in the topic is missing",
        ("contents",),
        "kafka",
    ),
)
