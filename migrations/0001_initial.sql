-- One schema for SQLite and D1. Times are milliseconds since 1970, money is integer quota units,
-- both at most 2^53-1. The CHECKs are the last line of defence: no statement relies on them.

CREATE TABLE users (
    id                   INTEGER PRIMARY KEY AUTOINCREMENT,
    username             TEXT NOT NULL COLLATE NOCASE UNIQUE,
    display_name         TEXT NOT NULL,
    email                TEXT,
    password_hash        TEXT NOT NULL,
    role                 INTEGER NOT NULL CHECK (role IN (1, 10, 100)),
    enabled              INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
    must_change_password INTEGER NOT NULL CHECK (must_change_password IN (0, 1)),
    session_version      INTEGER NOT NULL DEFAULT 0,
    granted              INTEGER NOT NULL CHECK (granted BETWEEN 0 AND 9007199254740991),
    spent                INTEGER NOT NULL DEFAULT 0 CHECK (spent >= 0),
    held                 INTEGER NOT NULL DEFAULT 0 CHECK (held >= 0),
    request_count        INTEGER NOT NULL DEFAULT 0 CHECK (request_count >= 0),
    created_at           INTEGER NOT NULL,
    CHECK (spent + held <= granted)
) STRICT;

-- AUTOINCREMENT: an id is never used again, so the calls of a deleted key cannot become another's.
CREATE TABLE tokens (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id       INTEGER NOT NULL REFERENCES users (id),
    name          TEXT NOT NULL,
    digest        TEXT NOT NULL UNIQUE,
    key_prefix    TEXT NOT NULL,
    key_last4     TEXT NOT NULL,
    enabled       INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
    cap           INTEGER CHECK (cap BETWEEN 0 AND 9007199254740991),
    spent         INTEGER NOT NULL DEFAULT 0 CHECK (spent >= 0),
    held          INTEGER NOT NULL DEFAULT 0 CHECK (held >= 0),
    request_count INTEGER NOT NULL DEFAULT 0 CHECK (request_count >= 0),
    models        TEXT NOT NULL,
    subnet        TEXT NOT NULL,
    expires_at    INTEGER,
    revision      INTEGER NOT NULL DEFAULT 0,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    CHECK (cap IS NULL OR spent + held <= cap)
) STRICT;

CREATE INDEX tokens_by_user ON tokens (user_id, id);

CREATE TABLE channels (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    name          TEXT NOT NULL,
    kind          TEXT NOT NULL,
    base_url      TEXT NOT NULL,
    sealed_key    TEXT NOT NULL DEFAULT '',
    key_hint      TEXT NOT NULL DEFAULT '',
    models        TEXT NOT NULL,
    model_mapping TEXT NOT NULL,
    config        TEXT NOT NULL,
    enabled       INTEGER NOT NULL DEFAULT 0 CHECK (enabled IN (0, 1)),
    priority      INTEGER NOT NULL,
    weight        INTEGER NOT NULL CHECK (weight >= 0),
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL
) STRICT;

-- The ledger and the usage log in one: a call is new only inside the transaction that makes it,
-- held while it is under way, and settled for ever after. No foreign keys: the rows outlive their
-- keys and channels. The ids sort by time, so new rows go to the end of the tree.
CREATE TABLE calls (
    request_id         TEXT NOT NULL PRIMARY KEY,
    state              TEXT NOT NULL CHECK (state IN ('new', 'held', 'settled')),
    user_id            INTEGER NOT NULL,
    token_id           INTEGER NOT NULL,
    amount             INTEGER NOT NULL CHECK (amount >= 0),
    floor              INTEGER NOT NULL CHECK (floor >= 0),
    expires_at         INTEGER NOT NULL,
    idempotency_key    TEXT,
    model              TEXT NOT NULL,
    stream             INTEGER NOT NULL CHECK (stream IN (0, 1)),
    created_at         INTEGER NOT NULL,
    quota              INTEGER NOT NULL DEFAULT 0,
    unbilled           INTEGER NOT NULL DEFAULT 0 CHECK (unbilled >= 0),
    channel_id         INTEGER,
    upstream_model     TEXT NOT NULL DEFAULT '',
    prompt_tokens      INTEGER NOT NULL DEFAULT 0,
    completion_tokens  INTEGER NOT NULL DEFAULT 0,
    cached_tokens      INTEGER NOT NULL DEFAULT 0,
    cache_write_tokens INTEGER NOT NULL DEFAULT 0,
    reasoning_tokens   INTEGER NOT NULL DEFAULT 0,
    estimated          INTEGER NOT NULL DEFAULT 0 CHECK (estimated IN (0, 1)),
    status             INTEGER NOT NULL DEFAULT 0,
    end_reason         TEXT NOT NULL DEFAULT '',
    attempts           INTEGER NOT NULL DEFAULT 0,
    latency_ms         INTEGER NOT NULL DEFAULT 0,
    first_byte_ms      INTEGER,
    CHECK (quota BETWEEN 0 AND amount)
) STRICT, WITHOUT ROWID;

-- What a sweep looks for.
CREATE INDEX calls_by_expiry ON calls (expires_at) WHERE state = 'held';

-- "This once" among open calls. Rows without such a key, nearly all, are not in it.
CREATE UNIQUE INDEX calls_once ON calls (token_id, idempotency_key)
    WHERE state <> 'settled' AND idempotency_key IS NOT NULL;

-- A user's usage, newest first.
CREATE INDEX calls_by_user ON calls (user_id, request_id) WHERE state = 'settled';

CREATE TABLE settings (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE login_failures (
    scope TEXT NOT NULL,
    at    INTEGER NOT NULL
) STRICT;

CREATE INDEX login_failures_by_scope ON login_failures (scope, at);

CREATE INDEX login_failures_by_time ON login_failures (at);
