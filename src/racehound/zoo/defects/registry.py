"""The defects: names, what each models, and who should find it."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Defect:
    """`models`: the public issue or class of such that it stands for. `bites`: when it shows. `oracle`: who should find it."""

    name: str
    models: str
    bites: str
    oracle: str


DEFECTS = (
    Defect(
        "panic-on-rename",
        "a coordinator that unwraps a name that a concurrent statement has just changed",
        "a relation is renamed while something is being created on it",
        "crash",
    ),
    Defect(
        "lost-rename",
        "a lost update of the catalog: a statement writes back the whole entry that it read before another changed it",
        "GRANT, COMMENT or ALTER OWNER on an object while it is renamed",
        "names",
    ),
    Defect(
        "stale-view",
        "a dataflow that stays bound to what a name meant when it was planned",
        "a relation is renamed, and back, while a materialized view is being created on it: the view never changes again",
        "contents",
    ),
    Defect(
        "name-taken",
        "a failed creation that leaves its name reserved",
        "what a new object depends on is dropped or renamed while it is being created: its name cannot be used again",
        "errors",
    ),
    Defect(
        "dropped-dependency",
        "a dependency check that is made before the catalog is locked and not again after",
        "what a new object depends on is dropped while it is being created: it exists without it",
        "catalog",
    ),
    Defect(
        "deadlock",
        "two statements that lock the same objects in opposite orders",
        "SWAP of the same two from both sides; DROP CASCADE from above while a dependent is renamed from below",
        "hang",
    ),
    Defect(
        "hanging-drop",
        "a drop that waits for the end of a dataflow that nobody will end",
        "something is created on a relation while that is being dropped",
        "hang",
    ),
    Defect(
        "wrong-snapshot",
        "a materialized view whose snapshot is taken before, and whose updates begin after, a concurrent write",
        "a table is written while a materialized view is being created on it",
        "contents",
    ),
    Defect(
        "unexplained-error",
        "a catalog transaction that gives up when another was faster, though the two have nothing to do with each other",
        "two creations at the same time",
        "errors",
    ),
    Defect(
        "duplicate-id",
        "an id allocated from a snapshot of the catalog",
        "two creations at the same time: both objects have one id",
        "catalog",
    ),
    Defect(
        "ghost-relation",
        "an index that keeps serving a relation which is gone from the catalog",
        "an index is created on a relation while that is being dropped: it can still be read",
        "errors",
    ),
    Defect(
        "lost-grant",
        "a lost update of an object's privileges",
        "two GRANTs or REVOKEs on one object at the same time: one of them is forgotten",
        "names",
    ),
    Defect(
        "cluster-leftovers",
        "a drop of a cluster that removes what it saw in it, not what is in it",
        "something is created in a cluster while that is being dropped",
        "catalog",
    ),
    Defect(
        "lost-write",
        "a write that was acknowledged to a collection that its table had just been moved away from",
        "INSERT into a table while it is altered",
        "contents",
    ),
    Defect(
        "orphaned-subscription",
        "a subscription that does not learn that its relation was dropped",
        "SUBSCRIBE is begun while the catalog changes: it does not end when its relation is dropped",
        "hang",
    ),
)
