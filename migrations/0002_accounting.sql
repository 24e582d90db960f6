-- Books that can be checked. A call's row is the truth about its money, and triggers carry every
-- change of it to its user and key: no statement moves a balance by itself, and delivering one
-- twice moves nothing twice, because a row that does not change carries nothing.

-- Where balances come from. The id is chosen by whoever grants, so that a repetition is known.
CREATE TABLE grants (
    id         TEXT NOT NULL PRIMARY KEY,
    user_id    INTEGER NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('opening', 'grant', 'set')),
    asked      INTEGER NOT NULL,
    amount     INTEGER NOT NULL CHECK (amount BETWEEN -9007199254740991 AND 9007199254740991),
    granted_by INTEGER,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX grants_by_user ON grants (user_id, created_at);

INSERT INTO grants (id, user_id, kind, asked, amount, created_at)
SELECT 'opening-' || id, id, 'opening', granted, granted, created_at FROM users WHERE granted > 0;

CREATE TRIGGER users_open AFTER INSERT ON users WHEN NEW.granted > 0 BEGIN
    INSERT INTO grants (id, user_id, kind, asked, amount, created_at)
    VALUES ('opening-' || NEW.id, NEW.id, 'opening', NEW.granted, NEW.granted, NEW.created_at);
END;

CREATE TRIGGER grants_raise AFTER INSERT ON grants WHEN NEW.kind <> 'opening' BEGIN
    UPDATE users SET granted = granted + NEW.amount WHERE id = NEW.user_id;
END;

-- A call is held while it is under way, and then settled, void (no upstream accepted it) or expired
-- (nobody said how it ended). `floor` is what it costs if nothing more is heard of it, and rises
-- while it streams. `cost` is what it really cost: what lies above `quota` was not charged.
CREATE TABLE new_calls (
    request_id         TEXT NOT NULL PRIMARY KEY,
    state              TEXT NOT NULL CHECK (state IN ('held', 'settled', 'void', 'expired')),
    user_id            INTEGER NOT NULL,
    token_id           INTEGER NOT NULL,
    amount             INTEGER NOT NULL CHECK (amount >= 0),
    floor              INTEGER NOT NULL CHECK (floor >= 0),
    quota              INTEGER NOT NULL DEFAULT 0,
    cost               INTEGER NOT NULL DEFAULT 0 CHECK (cost >= quota),
    price              TEXT NOT NULL,
    created_at         INTEGER NOT NULL,
    expires_at         INTEGER NOT NULL,
    idempotency_key    TEXT,
    model              TEXT NOT NULL,
    stream             INTEGER NOT NULL CHECK (stream IN (0, 1)),
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
    failures           TEXT NOT NULL DEFAULT '[]',
    dropped            TEXT NOT NULL DEFAULT '[]',
    latency_ms         INTEGER NOT NULL DEFAULT 0,
    first_byte_ms      INTEGER,
    CHECK (quota BETWEEN 0 AND amount)
) STRICT, WITHOUT ROWID;

-- Calls from before had the default price.
INSERT INTO new_calls (request_id, state, user_id, token_id, amount, floor, quota, cost, price, created_at, expires_at,
    idempotency_key, model, stream, channel_id, upstream_model, prompt_tokens, completion_tokens, cached_tokens,
    cache_write_tokens, reasoning_tokens, estimated, status, end_reason, attempts, latency_ms, first_byte_ms)
SELECT request_id,
    CASE WHEN state = 'held' THEN 'held' WHEN end_reason = 'orphan' THEN 'expired'
        WHEN quota = 0 AND unbilled = 0 AND prompt_tokens = 0 THEN 'void' ELSE 'settled' END,
    user_id, token_id, amount, floor, quota, quota + unbilled, '[0,1000000,1000000,1000000,3000000]', created_at,
    expires_at, idempotency_key, model, stream, channel_id, upstream_model, prompt_tokens, completion_tokens,
    cached_tokens, cache_write_tokens, reasoning_tokens, estimated, status, end_reason, attempts, latency_ms, first_byte_ms
FROM calls;

DROP TABLE calls;

ALTER TABLE new_calls RENAME TO calls;

-- What a sweep looks for.
CREATE INDEX calls_by_expiry ON calls (expires_at) WHERE state = 'held';

-- "This once" among open calls. Rows without such a key, nearly all, are not in it.
CREATE UNIQUE INDEX calls_once ON calls (token_id, idempotency_key)
    WHERE state = 'held' AND idempotency_key IS NOT NULL;

-- A user's usage, newest first.
CREATE INDEX calls_by_user ON calls (user_id, request_id) WHERE state <> 'held';

CREATE TRIGGER calls_hold AFTER INSERT ON calls WHEN NEW.state = 'held' BEGIN
    UPDATE users SET held = held + NEW.amount WHERE id = NEW.user_id;
    UPDATE tokens SET held = held + NEW.amount WHERE id = NEW.token_id;
END;

CREATE TRIGGER calls_close AFTER UPDATE OF state ON calls BEGIN
    UPDATE users SET held = held - iif(OLD.state = 'held', OLD.amount, 0), spent = spent + NEW.quota - OLD.quota,
        request_count = request_count + (OLD.state = 'held')
    WHERE id = NEW.user_id;
    UPDATE tokens SET held = held - iif(OLD.state = 'held', OLD.amount, 0), spent = spent + NEW.quota - OLD.quota,
        request_count = request_count + (OLD.state = 'held')
    WHERE id = NEW.token_id;
END;

-- Sums of days that are over. A call is in them or in no sum at all: those up to the mark are, and
-- may be deleted; the others are counted where they stand. Channel 0: none answered.
CREATE TABLE usage_days (
    day                INTEGER NOT NULL,
    user_id            INTEGER NOT NULL,
    token_id           INTEGER NOT NULL,
    channel_id         INTEGER NOT NULL,
    model              TEXT NOT NULL,
    requests           INTEGER NOT NULL,
    failures           INTEGER NOT NULL,
    prompt_tokens      INTEGER NOT NULL,
    completion_tokens  INTEGER NOT NULL,
    quota              INTEGER NOT NULL,
    PRIMARY KEY (day, user_id, token_id, channel_id, model)
) STRICT, WITHOUT ROWID;

CREATE INDEX usage_days_by_user ON usage_days (user_id, day);

CREATE TABLE usage_mark (
    id      INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    through TEXT NOT NULL
) STRICT;

INSERT INTO usage_mark (id, through) VALUES (1, '');

-- The operator's price tables, each version whole, because calls that were held under an older one
-- still have its number.
CREATE TABLE price_tables (
    version    INTEGER PRIMARY KEY AUTOINCREMENT,
    entries    TEXT NOT NULL,
    created_by INTEGER,
    created_at INTEGER NOT NULL
) STRICT;

-- Who did what to which object, written with the change it records. No foreign keys: the rows
-- outlive what they are about.
CREATE TABLE audit_log (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id TEXT NOT NULL,
    at         INTEGER NOT NULL,
    actor_id   INTEGER,
    address    TEXT,
    action     TEXT NOT NULL,
    object     TEXT NOT NULL,
    object_id  INTEGER,
    detail     TEXT NOT NULL
) STRICT;

-- A request does a thing to an object once, however often that is delivered.
CREATE UNIQUE INDEX audit_log_once ON audit_log (request_id, action, COALESCE(object_id, 0));
