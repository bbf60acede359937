"""Embedded PostgreSQL servers, which racehound starts itself: of the release that pip installs, or of one that Maven fetches."""
