"""A bug report in Markdown that reads as plain text, too: a mailing list takes it as it is."""

from __future__ import annotations

from collections.abc import Mapping

from racehound.data.finding import Finding
from racehound.data.reduction import HandOver, Reduction
from racehound.data.scene import SETUP, Scene
from racehound.data.verification import Verification
from racehound.report.handover.plain import setup_of

_EXPECTED = {
    "corruption": "Every reference between rows of the system catalogs leads to a row that is there.",
    "crash": "No process of the server ends but by request.",
    "hang": "Each statement ends, or waits for a lock that somebody will release.",
    "wrong result": "The rows that the statements which succeeded have left.",
    "internal error": "A statement succeeds, or fails with an error that tells its author what others have done.",
    "known weakness": "A statement succeeds, or fails with an error that tells its author what others have done.",
    "unexplained error": "A statement fails only for a reason that its author, or somebody who ran at the same time, has given.",
    "leak": "What is dropped leaves nothing behind.",
}
_CONTROL = ("BEGIN", "COMMIT", "ROLLBACK")
_WIDEST = 56
"""Characters of a statement that stands in a column."""


def report(finding: Finding, reduction: Reduction, forms: HandOver, verification: Verification | None) -> str:
    """The bug report of a reduced finding."""
    scene = forms.scene
    setup = "".join(f"{sql};\n" for sql in [*forms.session_settings.get(SETUP, ()), *setup_of(scene)])
    sections = {
        "Version": _version(reduction, forms, verification),
        "Setup": _sql(setup),
        "Turns": f"{_turns(scene, forms.session_settings)}\n\nA statement that waits for a lock goes on as soon as it can.",
        "Observed": _observed(finding, forms, verification),
        "Expected": forms.expected or _EXPECTED[finding.severity],
        "Releases tried": _releases(reduction),
        "Clean-up": _sql("".join(f"{sql};\n" for sql in forms.cleanup)),
        "How to run it": _how(forms, verification),
    }
    parts = [f"# {_subject(finding, forms)}", _summary(finding, forms, verification)]
    parts += [f"## {heading}\n\n{text.rstrip()}" for heading, text in sections.items() if text]
    return "\n\n".join(parts) + "\n"


def _subject(finding: Finding, forms: HandOver) -> str:
    return _capital(forms.what) if forms.what else finding.title


def _summary(finding: Finding, forms: HandOver, verification: Verification | None) -> str:
    """One sentence: what is done, what is wrong then, and what follows."""
    statements = list(dict.fromkeys(" ".join(line.sql.split()) for line in forms.scene.turns if line.sql.upper() not in _CONTROL))
    if len(statements) == 2:
        when = f"When `{statements[0]}` and `{statements[1]}` run at the same time, in the order below"
    else:
        when = "When the statements below run at the same time, in their order"
    follows = [*forms.follows, *(verification.consequences if verification else ())]
    after = "; ".join(follows) or _GENERAL.get(finding.severity, "")
    return f"{when}, {forms.what or finding.title}{f'; what follows: {after}' if after else ''}."


_GENERAL = {
    "corruption": "the row stays, and whatever relies on it fails or is wrong",
    "internal error": "its transaction is lost, and the message does not tell its author why",
    "known weakness": "its transaction is lost, and the message does not tell its author why",
    "crash": "all sessions of the server are ended",
    "hang": "the session waits until somebody ends it",
    "wrong result": "no session was told of an error",
}
"""What follows of a finding of that severity, where nothing more is known."""


def _version(reduction: Reduction, forms: HandOver, verification: Verification | None) -> str:
    version = verification.version if verification and verification.version else f"{reduction.database} {reduction.release}"
    lines = [version]
    if verification and verification.system:
        lines.append(f"Operating system: {verification.system}")
    settings = verification.settings if verification and verification.forms else forms.settings
    lines.append(f"Settings that differ from the default: {', '.join(settings) if settings else 'none'}.")
    lines += [f"It needs {need}." for need in forms.needs]
    return "\n\n".join(lines)


def _turns(scene: Scene, settings: Mapping[int, object]) -> str:
    """Two columns where the statements are short; else a numbered list."""
    first = [(session, f"{sql}") for session in scene.sessions for sql in _settings(settings, session)]
    rows = [*first, *((line.session, line.sql) for line in scene.turns)]
    if len(scene.sessions) == 2 and all("\n" not in sql and len(sql) < _WIDEST for _, sql in rows):
        left, right = scene.sessions
        width = max(len(sql) for session, sql in [*rows, (left, f"session {left}")] if session == left) + 4
        head = [f"{f'session {left}':{width}}session {right}", f"{'-' * (width - 3)}   {'-' * (width - 3)}"]
        lines = [f"{sql + ';':{width}}" if session == left else f"{'':{width}}{sql};" for session, sql in rows]
        return _fenced("\n".join(line.rstrip() for line in [*head, *lines]), "")
    lines = [f"-- {turn}. session {session}\n{sql};" for turn, (session, sql) in enumerate(rows, 1)]
    return _fenced("\n".join(lines), "sql")


def _settings(settings: Mapping[int, object], session: int) -> tuple[str, ...]:
    own = settings.get(session, ())
    assert isinstance(own, tuple)
    return own


def _observed(finding: Finding, forms: HandOver, verification: Verification | None) -> str:
    parts = []
    if forms.check:
        parts += ["This query returns" + (" rows:" if not forms.expected or "no row" in forms.expected else " other rows:"),
                  _fenced(f"{forms.check};", "sql")]  # fmt: skip
    observed = "\n".join(verification.observed) if verification else ""
    if observed:
        parts.append(_fenced(observed, ""))
    elif not forms.check:
        parts.append(f"{_capital(forms.what or finding.title)}.")
    if verification and verification.consequences:
        parts += ["Before the clean-up:", _fenced("\n".join(verification.consequences), "")]
    return "\n\n".join(parts)


def _releases(reduction: Reduction) -> str:
    rows = reduction.releases.items()
    return "\n".join(
        f"- {reduction.database} {release}: shown {replayed.reproduced} of {replayed.tried} times" for release, replayed in rows
    )


def _how(forms: HandOver, verification: Verification | None) -> str:
    lines = [f"- {how}" for how in forms.how]
    lines += [f"- There is no `{name}`: {why}." for name, why in forms.left_out.items()]
    lines.append(f"- {_capital(verification.facts)}." if verification else "- Not yet verified on a stock server.")
    return "\n".join(lines)


def _sql(text: str) -> str:
    return _fenced(text.rstrip(), "sql") if text.strip() else ""


def _fenced(text: str, language: str) -> str:
    return f"```{language}\n{text}\n```"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
