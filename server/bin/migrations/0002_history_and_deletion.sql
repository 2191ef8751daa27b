-- Whether the member may know of the call. Of older calls only what is certain is kept: who joined or refused, knew.
ALTER TABLE call_members ADD COLUMN shown BOOLEAN NOT NULL DEFAULT FALSE;

UPDATE call_members SET shown = TRUE WHERE join_time <> 0 OR reason = 'refuse';

DROP INDEX call_members_by_user;

CREATE INDEX call_members_by_user ON call_members (username, leave_time);

CREATE INDEX relations_by_user ON relations (username);

-- Names whose tokens are good no more, until the user is made anew.
CREATE TABLE deleted_users (
    username TEXT NOT NULL PRIMARY KEY,
    deleted_time BIGINT NOT NULL
);
