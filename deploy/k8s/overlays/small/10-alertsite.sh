#!/usr/bin/env bash
# Run once by PostgreSQL's image: the role that owns the platform's database is no superuser, so that row-level
# security binds it.
set -euo pipefail
psql --username "$POSTGRES_USER" --set ON_ERROR_STOP=1 --set password="$ALERTSITE_PASSWORD" <<'SQL'
CREATE ROLE alertsite LOGIN NOSUPERUSER PASSWORD :'password';
CREATE DATABASE alertsite OWNER alertsite;
SQL
