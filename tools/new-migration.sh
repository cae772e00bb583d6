#!/usr/bin/env bash
# Begins a migration: one empty file for each dialect, under the next number.
set -euo pipefail
cd "$(dirname "$0")/../db/migrations"

name=${1:-}
if ! [[ $name =~ ^[a-z][a-z0-9]*(_[a-z0-9]+)*$ ]]; then
	echo 'new-migration: give it a name of small letters, digits and single underscores: make new-migration NAME=office_hours' >&2
	exit 1
fi
last=$(printf '%s\n' */[0-9]*.sql | sed 's:^[a-z]*/::' | sort | tail -n 1)
number=$(printf '%04d' $((10#${last%%_*} + 1)))
for dialect in postgres sqlite; do
	file=$dialect/${number}_$name.sql
	printf -- '-- +goose Up\n' >"$file"
	echo "db/migrations/$file"
done
