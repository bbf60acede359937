"""The page: its contents, scripts and styles in one HTML text."""

from __future__ import annotations

import base64
import hashlib
import importlib.resources

import msgspec

from racehound.report.html.contents import Contents

SCRIPTS = (
    "elements.js", "model.js", "scale.js", "painter.js", "timeline.js", "filters.js", "log.js", "findings.js",
    "statistics.js", "throughput.js", "matrix.js", "main.js",
)  # fmt: skip
"""In the order in which they run. While they load, each uses only what those before it define."""
STYLES = ("colours.css", "page.css", "parts.css")

_ASSETS = importlib.resources.files(__package__) / "assets"


def page(contents: Contents) -> str:
    """The page. Its content security policy lets a browser load nothing, and run only the script and style with these hashes."""
    script = '"use strict";\n(() => {\n' + "\n".join(map(_asset, SCRIPTS)) + "\n})();\n"
    style = "\n".join(map(_asset, STYLES))
    policy = f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:"
    parts = {
        "policy": policy,
        "title": _text(f"{contents.title}: {contents.verdict}"),
        "style": style,
        "script": script,
        "contents": _json(contents),
    }
    first, *rest = _asset("page.html").split("{{")
    return first + "".join(_filled(piece, parts) for piece in rest)


def _filled(piece: str, parts: dict[str, str]) -> str:
    name, _, text = piece.partition("}}")
    return parts[name.strip()] + text


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _json(contents: Contents) -> str:
    """JSON without `<`, so that no tag in it can end the element that contains it."""
    return (
        msgspec.json.encode(contents).decode().replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    )


def _text(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
