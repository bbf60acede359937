"""The testdrive language: lexer, parser and printer; the interpreter; `actions`, a module per family of `$` commands."""
