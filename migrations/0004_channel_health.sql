-- What processes tell each other of channels that fail, while it holds. `model` is empty for the
-- whole channel; `revision` is its channel's updated_at, and a verdict with another one is void;
-- `version` is a number that no other verdict has.
CREATE TABLE channel_health (
    channel_id INTEGER NOT NULL REFERENCES channels (id) ON DELETE CASCADE,
    model      TEXT NOT NULL,
    revision   INTEGER NOT NULL,
    trip       TEXT NOT NULL,
    version    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (channel_id, model)
) STRICT, WITHOUT ROWID;
