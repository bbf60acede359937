"""The SQL that sets the storage up: types and functions of Materialize that PostgreSQL lacks."""

from __future__ import annotations

import functools

from racehound_zoo.release import Release

_SETUP = """
CREATE SCHEMA zoo;
CREATE DOMAIN zoo.uint2 AS integer;
CREATE DOMAIN zoo.uint4 AS bigint;
CREATE DOMAIN zoo.uint8 AS numeric;
CREATE DOMAIN zoo.mz_timestamp AS numeric;
CREATE DOMAIN zoo.mz_aclitem AS text;
CREATE DOMAIN zoo.string AS text;
CREATE FUNCTION zoo.mz_now() RETURNS numeric STABLE LANGUAGE sql
    AS $$ SELECT floor(extract(epoch FROM statement_timestamp()) * 1000)::numeric $$;
CREATE FUNCTION zoo.mz_version() RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT '{version}'::text $$;
CREATE FUNCTION zoo.version() RETURNS text IMMUTABLE LANGUAGE sql
    AS $$ SELECT 'PostgreSQL 9.5 on x86_64-unknown-linux-gnu (Materialize {release})'::text $$;
CREATE FUNCTION zoo.mz_environment_id() RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT '{environment}'::text $$;
CREATE FUNCTION zoo.mz_uptime() RETURNS interval STABLE LANGUAGE sql AS $$ SELECT now() - pg_postmaster_start_time() $$;
CREATE FUNCTION zoo.current_database() RETURNS text STABLE LANGUAGE sql AS $$ SELECT current_setting('zoo.database', true) $$;
CREATE FUNCTION zoo.current_schema() RETURNS text STABLE LANGUAGE sql AS $$ SELECT current_setting('zoo.schema', true) $$;
CREATE FUNCTION zoo.speaker() RETURNS text STABLE LANGUAGE sql AS $$ SELECT current_setting('zoo.user', true) $$;
CREATE SCHEMA mz_unsafe;
CREATE FUNCTION mz_unsafe.mz_sleep(double precision) RETURNS text LANGUAGE plpgsql
    AS $$ BEGIN PERFORM pg_sleep($1); RETURN NULL; END $$;
CREATE SCHEMA mz_internal;
CREATE FUNCTION mz_internal.mz_version() RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT '{version}'::text $$;
"""
_ENVIRONMENT = "racehound-zoo-00000000-0000-0000-0000-000000000000-0"


def setup_sql(release: Release) -> str:
    """The statements for a server of that release."""
    values = {"{version}": release.mz_version, "{release}": release.version, "{environment}": _ENVIRONMENT}
    return functools.reduce(lambda text, marker: text.replace(marker, values[marker]), values, _SETUP)
