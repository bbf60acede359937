"""Any server that speaks the PostgreSQL protocol, at an address, used as an ordinary user."""
