-- The calls of a server that has stopped, for the next: one row of JSON, or none.
CREATE TABLE handover (
    calls TEXT NOT NULL
);
