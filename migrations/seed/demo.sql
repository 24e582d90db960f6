-- Demo data for a local database: somebody to log in as, a key, and two weeks of calls to look at.
-- Everything here is public, so never load it into a database that others can reach.
--   user "demo", password "demo123"
--   key sk-No2EBiGaHTP52LyMav2jjQt0dz2r64oZHaebSjUVQkO28yS6i
-- Loading it twice changes nothing. Channels are not in it: their keys are encrypted with a key
-- that only your gateway has.

INSERT OR IGNORE INTO users (username, display_name, password_hash, role, must_change_password, granted, spent, request_count, created_at)
VALUES ('demo', 'Demo',
    '$argon2id$v=19$m=7168,t=5,p=1$u4IiY2dG413QiQoTCLrK5g$mm7ZNe3NWKEZRywacIM8ekDM2gG1UIlwbgfR+Q1uV5Y',
    1, 0, 500000, 14 * 1500, 14, CAST(unixepoch() AS INTEGER) * 1000 - 15 * 86400000);

INSERT OR IGNORE INTO tokens (user_id, name, digest, key_prefix, key_last4, spent, request_count, models, subnet, created_at, updated_at)
SELECT id, 'demo', 'dd459b1e2ead995d560a875d837376cb3d3b7f38052a639badfaf7dd798c6acb', 'sk-No2E', 'yS6i',
    14 * 1500, 14, '', '', created_at, created_at
FROM users WHERE username = 'demo';

-- At the default price: 600 prompt tokens for 1 unit each and 300 of the answer for 3.
WITH RECURSIVE days (day) AS (SELECT 1 UNION ALL SELECT day + 1 FROM days WHERE day < 14)
INSERT OR IGNORE INTO calls (request_id, state, user_id, token_id, amount, floor, quota, cost, price, created_at, expires_at,
    model, stream, upstream_model, prompt_tokens, completion_tokens, status, end_reason, attempts, latency_ms, first_byte_ms)
SELECT format('%08x-%04x-7000-8000-%012x', (u.created_at + day * 86400000) >> 16, (u.created_at + day * 86400000) & 65535, day),
    'settled', u.id, t.id, 4000, 600, 1500, 1500, '[0,1000000,1000000,1000000,3000000]',
    u.created_at + day * 86400000, u.created_at + day * 86400000 + 60000,
    CASE day % 3 WHEN 0 THEN 'gpt-4o' WHEN 1 THEN 'gpt-4o-mini' ELSE 'text-embedding-3-small' END,
    day % 2, '', 600, 300, 200, 'complete', 1, 900 + 37 * day, 240 + 11 * day
FROM days, users u JOIN tokens t ON t.user_id = u.id AND t.name = 'demo'
WHERE u.username = 'demo';

-- A database that has been in use for longer has summed up these days already: what comes late has
-- to be added by hand.
INSERT OR IGNORE INTO usage_days (day, user_id, token_id, channel_id, model, requests, failures, prompt_tokens, completion_tokens, quota)
SELECT c.created_at / 86400000, c.user_id, c.token_id, 0, c.model, 1, 0, c.prompt_tokens, c.completion_tokens, c.quota
FROM users u JOIN tokens t ON t.user_id = u.id AND t.name = 'demo'
    JOIN calls c ON c.token_id = t.id AND c.channel_id IS NULL
    AND c.request_id <= (SELECT through FROM usage_mark WHERE id = 1)
WHERE u.username = 'demo';
