-- Plain enough for SQLite and PostgreSQL. Times are Unix milliseconds; 0 is never.
-- `profile` and `relation` are the protocol's JSON objects, which grow without a migration.

CREATE TABLE users (
    username TEXT NOT NULL PRIMARY KEY,
    profile TEXT NOT NULL,
    created_time BIGINT NOT NULL
);

CREATE TABLE relations (
    viewer TEXT NOT NULL REFERENCES users (username),
    username TEXT NOT NULL REFERENCES users (username),
    relation TEXT NOT NULL,
    PRIMARY KEY (viewer, username)
);

CREATE TABLE call_records (
    channel_id TEXT NOT NULL PRIMARY KEY,
    inviter TEXT NOT NULL,
    start_time BIGINT NOT NULL,
    end_time BIGINT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT
);

CREATE INDEX call_records_by_time ON call_records (end_time);

-- A user who was invited twice into one call stands here twice.
CREATE TABLE call_members (
    channel_id TEXT NOT NULL REFERENCES call_records (channel_id),
    position BIGINT NOT NULL,
    username TEXT NOT NULL,
    invited_by TEXT NOT NULL,
    invited_time BIGINT NOT NULL,
    join_time BIGINT NOT NULL,
    leave_time BIGINT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT,
    PRIMARY KEY (channel_id, position)
);

CREATE INDEX call_members_by_user ON call_members (username);
