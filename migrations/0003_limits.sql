-- How much a key or a user may ask for: calls and tokens a minute, and calls at once. 0: no limit.
-- What was asked for lately is not kept here: the processes that let calls in count it in memory.

ALTER TABLE users ADD COLUMN rpm_limit INTEGER NOT NULL DEFAULT 0 CHECK (rpm_limit BETWEEN 0 AND 1000000000);
ALTER TABLE users ADD COLUMN tpm_limit INTEGER NOT NULL DEFAULT 0 CHECK (tpm_limit BETWEEN 0 AND 1000000000);
ALTER TABLE users ADD COLUMN concurrency_limit INTEGER NOT NULL DEFAULT 0 CHECK (concurrency_limit BETWEEN 0 AND 1000000000);

ALTER TABLE tokens ADD COLUMN rpm_limit INTEGER NOT NULL DEFAULT 0 CHECK (rpm_limit BETWEEN 0 AND 1000000000);
ALTER TABLE tokens ADD COLUMN tpm_limit INTEGER NOT NULL DEFAULT 0 CHECK (tpm_limit BETWEEN 0 AND 1000000000);
ALTER TABLE tokens ADD COLUMN concurrency_limit INTEGER NOT NULL DEFAULT 0 CHECK (concurrency_limit BETWEEN 0 AND 1000000000);
